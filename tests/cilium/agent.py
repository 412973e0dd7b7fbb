"""A real agent with its real datapath: a privileged pod of the test cluster, with endpoints, a policy, names, services.

The pods of the endpoints are bound to the node and wait for a Secret that never comes, so that the kubelet leaves them
alone; their interfaces stand in network namespaces of their own inside the agent's pod, made by Cilium's own plugin.
"""

import asyncio
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.execution import execute
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.objects import CONTENT_TYPES
from tests.cilium.scenery import KNOWN_NAME, PODS, PORT, policies_and_services, routing
from tests.cluster import binaries, debian
from tests.cluster.components import NODE
from tests.cluster.images import import_image
from tests.cluster.model import Cluster
from tests.slowness import scaled
from tests.waiting import until

NAMESPACE = "kmcp-cilium"
POD = "cilium"
CONTAINER = "cilium-agent"
IMAGE = "localhost/kmcp-cilium:1"
PACKAGES = "ipset,iptables,iproute2,clang-19,busybox,dnsmasq-base"
PROGRAMS = "/opt/cilium"
PATH = f"{PROGRAMS}:/usr/lib/llvm-19/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RANGE = "10.245.0.0/24"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CONFIG_MAP = "cilium-config"
MODULE = "github.com/cilium/cilium"
CONFIGURATION = {
    "enable-ipv6": "false",
    "kube-proxy-replacement": "false",
    "routing-mode": "native",
    "ipv4-native-routing-cidr": "10.245.0.0/16",
    "ipam": "cluster-pool",
    "identity-allocation-mode": "crd",
    "enable-l7-proxy": "true",
    "external-envoy-proxy": "true",
    "enable-hubble": "true",
    "devices": "cil0",
    "enable-health-checking": "true",
    "enable-endpoint-health-checking": "false",
    "bpf-map-dynamic-size-ratio": "0.0025",
    "preallocate-bpf-maps": "false",
    "write-cni-conf-when-ready": "",
    "lib-dir": "/var/lib/cilium",
    "enable-xdp-prefilter": "true",
    "enable-local-redirect-policy": "true",
    "bpf-map-event-buffers": "cilium_ipcache_v2=enabled_256_0",
    "cluster-name": "default",
    "cluster-id": "0",
    "enable-bgp-control-plane": "true",
}
"""What the chart would write into ConfigMap cilium-config."""
NAMES = ("web", "client", "stranger", "resolver", "spare", "victim")
"""Endpoints: `client` may talk to `web`, `stranger` may not, `resolver` answers for names."""
Say = Callable[[str], None]


@dataclass
class Agent:
    """The running agent, and the addresses of its endpoints by name."""

    api: KubeApi
    addresses: dict[str, str] = field(default_factory=dict)

    async def shell(self, script: str, seconds: float = 60) -> str:
        """The output of a script in the agent's container, which must succeed."""
        ended = await execute(self.api, NAMESPACE, POD, CONTAINER, ["sh", "-ec", script], None, scaled(seconds))
        assert ended.exit_code == 0, f"{script}: {ended.exit_code} {ended.stderr.decode()} {ended.stdout.decode()}"
        return ended.stdout.decode()

    async def inside(self, endpoint: str, command: str) -> bool:
        """Whether a command in an endpoint's network succeeds."""
        ended = await execute(
            self.api, NAMESPACE, POD, CONTAINER, ["ip", "netns", "exec", endpoint, "sh", "-c", command], None, 60
        )
        return ended.exit_code == 0

    async def document(self, *words: str) -> Any:
        """What the agent's own program answers, for comparison with a tool's answer."""
        return json.loads(await self.shell(shlex.join(["cilium-dbg", *words, "-o", "json"])))


def why_not(cluster: Cluster) -> str | None:
    """Why the agent cannot run on this cluster, or None when it can."""
    if not cluster.pods:
        return f"its pods do not run: {cluster.why_no_pods}"
    if not (cluster.ctr and cluster.node):
        return f"the node of this cluster ({cluster.kind}) does not see this machine's files"
    missing = [name for name in ("bpf", "cgroup2") if f"\t{name}\n" not in Path("/proc/filesystems").read_text()]
    if missing:
        return f"the kernel has no {' and no '.join(missing)}"
    return debian.why_no_images()


async def start(cluster: Cluster, api: KubeApi, programs: Mapping[str, Path], say: Say) -> Agent:
    """Start the agent and furnish it."""
    say("starting a real Cilium agent")
    component = binaries.BACKENDS["cilium"]
    source = await asyncio.to_thread(binaries.source, component, MODULE)
    await asyncio.to_thread(_import, cluster, say)
    await define_kinds(api, source)
    await _place(api, programs["cilium-agent"].parent, source / "bpf")
    agent = Agent(api)
    await until(lambda: _host_is_ready(agent), seconds=240, what="the host endpoint of the Cilium agent")
    await _furnish(agent)
    return agent


async def attach(api: KubeApi) -> Agent | None:
    """The agent that another process of this run has started; None when it is no longer there."""
    try:
        await api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}")
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        return None
    agent = Agent(api)
    for endpoint in await agent.document("endpoint", "list"):
        name = endpoint["status"]["external-identifiers"].get("k8s-pod-name")
        if name:
            agent.addresses[name] = endpoint["status"]["networking"]["addressing"][0]["ipv4"]
    return agent


async def stop(api: KubeApi) -> None:
    """Take away everything that `start` made."""
    for namespace in (PODS, NAMESPACE):
        await _delete(api, f"/api/v1/namespaces/{namespace}/pods", collection=True)
        await _delete(api, f"/api/v1/namespaces/{namespace}")
    await _delete(api, f"{RBAC}/clusterrolebindings/{NAMESPACE}")
    definitions = await api.get(CRDS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    for item in definitions["items"] or ():
        if item["metadata"]["name"].endswith(".cilium.io"):
            await _delete(api, f"{CRDS}/{item['metadata']['name']}")


async def _delete(api: KubeApi, path: str, collection: bool = False) -> None:
    try:
        await api.send("DELETE", path, (("gracePeriodSeconds", "0"),) if collection else ())
    except StatusFailure as failure:
        if failure.http_status not in (404, 409):
            raise


def _import(cluster: Cluster, say: Say) -> None:
    environment = ("--env", f"PATH={PATH}", "--env", "HUBBLE_SERVER=unix:///var/run/cilium/hubble.sock")
    import_image(cluster, debian.image(IMAGE, PACKAGES, environment, say))


async def define_kinds(api: KubeApi, source: Path) -> None:
    folder = source / "pkg/k8s/apis/cilium.io/client/crds"
    for path in sorted(folder.glob("v2*/*.yaml")):
        definition = yaml.safe_load(path.read_text())
        definition.pop("status", None)
        await apply(api, f"{CRDS}/{definition['metadata']['name']}", definition)
    await until(lambda: _are_established(api), seconds=90, what="the custom resources of Cilium")


async def _are_established(api: KubeApi) -> bool:
    definitions = (await api.get(CRDS))["items"]
    ours = [each for each in definitions if each["spec"]["group"] == "cilium.io"]
    return bool(ours) and all(
        any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)
        for each in ours
        for conditions in [each.get("status", {}).get("conditions") or []]
    )


async def apply(api: KubeApi, path: str, body: Mapping[str, Any]) -> None:
    query = (("fieldManager", "kmcp-tests"), ("force", "true"))
    await api.send("PATCH", path, query, dict(body), CONTENT_TYPES["apply"])


async def _place(api: KubeApi, programs: Path, bpf: Path) -> None:
    """The namespaces, the identity, the range of addresses that an operator would hand out, and the agent's pod."""
    for namespace in (NAMESPACE, PODS):
        await until(partial(_make_namespace, api, namespace), seconds=120, what=f"namespace {namespace}")
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAMESPACE},
        "roleRef": role,
        "subjects": [subject],
    }
    await apply(api, f"{RBAC}/clusterrolebindings/{NAMESPACE}", binding)
    node = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": NODE},
        "spec": {"ipam": {"podCIDRs": [RANGE]}},
    }
    await apply(api, f"/apis/cilium.io/v2/ciliumnodes/{NODE}", node)
    configuration = {"metadata": {"name": CONFIG_MAP}, "data": CONFIGURATION}
    await api.send("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", (), configuration)
    await api.send("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", (), _pod(programs, bpf))


async def _make_namespace(api: KubeApi, name: str) -> bool:
    """Made, with the service account that pods need; waits for an earlier one of that name to end."""
    body = {"metadata": {"name": name}}
    try:
        await api.send("POST", "/api/v1/namespaces", (), body)
    except StatusFailure as failure:
        if failure.http_status != 409:
            raise
        found = await api.get(f"/api/v1/namespaces/{name}")
        if found["metadata"].get("deletionTimestamp"):
            return False
    accounts = await api.get(f"/api/v1/namespaces/{name}/serviceaccounts")
    return bool(accounts["items"])


def _pod(programs: Path, bpf: Path) -> dict[str, Any]:
    script = (Path(__file__).parent / "start.sh").read_text()
    mounts = {"programs": PROGRAMS, "bpf": "/opt/bpf", "configuration": "/opt/configuration"}
    volumes = [
        {"name": "programs", "hostPath": {"path": str(programs)}},
        {"name": "bpf", "hostPath": {"path": str(bpf)}},
        {"name": "configuration", "configMap": {"name": CONFIG_MAP}},
    ]
    container = {
        "name": CONTAINER,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "securityContext": {"privileged": True},
        "command": ["sh", "-c", script],
        "env": [
            {"name": "K8S_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CILIUM_K8S_NAMESPACE", "value": NAMESPACE},
        ],
        "volumeMounts": [{"name": name, "mountPath": path, "readOnly": True} for name, path in mounts.items()],
        "readinessProbe": {"exec": {"command": ["test", "-S", "/var/run/cilium/cilium.sock"]}, "periodSeconds": 2},
    }
    return {
        "metadata": {"name": POD, "labels": {"k8s-app": "cilium"}},
        "spec": {
            "nodeName": NODE,
            "containers": [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "volumes": volumes,
        },
    }


async def _host_is_ready(agent: Agent) -> bool:
    pod = await agent.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}")
    status = (pod["status"].get("containerStatuses") or [{}])[0]
    assert "terminated" not in (status.get("state") or {}), await _log(agent.api)
    if not status.get("ready"):
        return False
    ended = await execute(
        agent.api, NAMESPACE, POD, CONTAINER, ["cilium-dbg", "endpoint", "list", "-o", "json"], None, 30
    )
    endpoints = json.loads(ended.stdout) if ended.exit_code == 0 else []
    return any(
        "reserved:host" in each["status"]["identity"]["labels"] and each["status"]["state"] == "ready"
        for each in endpoints
    )


async def _log(api: KubeApi) -> str:
    told = await api.raw("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}/log", (("tailLines", "40"),))
    return f"the agent ended:\n{told.decode(errors='replace')}"


async def _furnish(agent: Agent) -> None:
    for name in NAMES:
        await add_endpoint(agent, name)
    await agent.shell(f"setsid ip netns exec web busybox httpd -f -p {PORT} -h /srv > /dev/null 2>&1 &")
    answers = f"--address=/{KNOWN_NAME}/{agent.addresses['web']} --no-daemon --no-resolv --no-hosts --user=root"
    await agent.shell(f"setsid ip netns exec resolver dnsmasq {answers} > /dev/null 2>&1 &")
    for path, body in (*policies_and_services(agent.addresses), *routing()):
        await apply(agent.api, path, body)
    await until(lambda: _policies_are_in_force(agent), seconds=120, what="the policies in the agent")
    await until(lambda: agent.inside("client", get("web", agent)), seconds=60, what="traffic that a policy allows")


def get(name: str, agent: Agent) -> str:
    """A command that asks an endpoint for its page, and fails when it gets none."""
    return f"timeout 3 busybox wget -q -O /dev/null http://{agent.addresses[name]}:{PORT}/start"


async def _policies_are_in_force(agent: Agent) -> bool:
    by_pod = {
        each["status"]["external-identifiers"].get("k8s-pod-name"): each["status"]
        for each in await agent.document("endpoint", "list")
    }
    enabled = {name: by_pod[name]["policy"]["realized"].get("policy-enabled") for name in ("web", "client")}
    return enabled == {"web": "ingress", "client": "egress"} and all(
        status["state"] == "ready" for status in by_pod.values()
    )


async def add_endpoint(agent: Agent, name: str) -> str:
    """The address of a new endpoint: a pod that the kubelet leaves alone, and a namespace that the plugin connects."""
    pod = {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": NODE,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "volumeMounts": [{"name": "never", "mountPath": "/never"}],
                }
            ],
            "volumes": [{"name": "never", "secret": {"secretName": "never"}}],
        },
    }
    await agent.api.send("POST", f"/api/v1/namespaces/{PODS}/pods", (), pod)
    configuration = json.dumps({"cniVersion": "1.0.0", "name": "cilium", "type": "cilium-cni"})
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": f"{name:0<12}",
        "CNI_NETNS": f"/var/run/netns/{name}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": PROGRAMS,
        "CNI_ARGS": f"K8S_POD_NAMESPACE={PODS};K8S_POD_NAME={name};IgnoreUnknown=1",
    }
    settings = " ".join(f"{key}={shlex.quote(value)}" for key, value in environment.items())
    connect = f"echo {shlex.quote(configuration)} | env {settings} cilium-cni"
    told = json.loads(await agent.shell(f"ip netns add {name}; {connect}", 120))
    address = str(told["ips"][0]["address"]).partition("/")[0]
    quiet = "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
    await agent.shell(f"ip netns exec {name} sh -c {shlex.quote(quiet)}")
    agent.addresses[name] = address
    return address
