"""Our own build of Kubernetes as a cluster: the control plane always, a node with pods where this machine allows it."""

import os
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2

from tests.cluster import binaries, cgroups, components, images, network, system
from tests.cluster.certificates import Authority
from tests.cluster.components import NODE, Layout
from tests.cluster.model import TEST_IMAGE, Cluster, Running
from tests.cluster.processes import Processes, entrance

KIND = "own build"
WAIT = 120.0
"""Seconds for each step; a quiet machine needs about five for the slowest."""
Say = Callable[[str], None]


def start(directory: Path, stack: ExitStack, say: Say) -> Running:
    """Start the cluster below `directory`; `stack` receives what ends it and removes what it made."""
    system.require_linux()
    why_no_pods = system.why_no_pods()
    if why_no_pods is None:
        system.ensure_system_packages(say)
        return _start_node(directory, stack, say)
    say(f"control plane without pods: {why_no_pods}")
    return _start_control_plane_alone(directory, stack, why_no_pods, say)


def _start_node(directory: Path, stack: ExitStack, say: Say) -> Running:
    found = binaries.ensure(binaries.CONTROL_PLANE + binaries.NODE, say)
    cgroup = _cgroup(directory, stack)
    processes = Processes(directory, namespaces=True)
    stack.callback(processes.stop)
    joined = network.attach(processes.pid)
    stack.callback(network.detach, joined)
    # Certificates name the address, so the network must be there before them.
    layout = Layout(directory, found, joined.node, joined, cgroup)
    kubeconfig = issue_certificates(layout)
    node = entrance(processes.pid)
    ctr = str(found["ctr"])
    cluster = Cluster(kubeconfig, True, None, TEST_IMAGE, KIND, node=node, ctr=ctr, host_address=joined.host)
    processes.start("containerd", components.containerd(layout))
    api = _start_apiserver(layout, processes, stack, pods=True)
    _import_images(cluster, layout, processes, say)
    processes.start("kubelet", components.kubelet(layout))
    _start_controllers(layout, processes, api, say)
    processes.start("kube-proxy", components.kube_proxy(layout))
    processes.wait("ready node", lambda: _node_ready(api), "kubelet", WAIT)
    say(f"node {NODE} is Ready")
    return Running(_with_version(cluster, api), processes.hold)


def _start_control_plane_alone(directory: Path, stack: ExitStack, why_no_pods: str, say: Say) -> Running:
    found = binaries.ensure(binaries.CONTROL_PLANE, say)
    processes = Processes(directory, namespaces=False)
    stack.callback(processes.stop)
    ports = components.other_ports()
    layout = Layout(directory, found, "127.0.0.1", network.Network(), ports=ports)
    kubeconfig = issue_certificates(layout)
    api = _start_apiserver(layout, processes, stack, pods=False)
    _start_controllers(layout, processes, api, say)
    cluster = Cluster(kubeconfig, False, why_no_pods, TEST_IMAGE, KIND)
    return Running(_with_version(cluster, api), processes.hold)


def issue_certificates(layout: Layout) -> Path:
    """Write the certificates and kubeconfigs of every component; return the administrator's kubeconfig."""
    authority = Authority(layout.directory / "pki")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = list(dict.fromkeys(["127.0.0.1", layout.address, layout.network.kubernetes]))
    authority.issue("etcd", "etcd", hosts=["localhost", "127.0.0.1"])
    authority.issue("apiserver", "kube-apiserver", hosts=["localhost", *names, *addresses])
    authority.issue("apiserver-kubelet", "kube-apiserver-kubelet-client")
    authority.issue("node", NODE, hosts=[NODE, "127.0.0.1", layout.address])
    authority.issue_key_pair("serviceaccount")
    for name, user, organizations in (
        ("controller-manager", "system:kube-controller-manager", []),
        ("scheduler", "system:kube-scheduler", []),
        ("proxy", "system:kube-proxy", []),
        ("kubelet", f"system:node:{NODE}", ["system:nodes"]),
    ):
        authority.issue_kubeconfig(name, user, organizations, layout.server)
    # The group that RBAC always lets pass.
    return authority.issue_kubeconfig("admin", "kmcp-test-admin", ["system:masters"], layout.server)


def _start_apiserver(layout: Layout, processes: Processes, stack: ExitStack, pods: bool) -> httpx2.Client:
    processes.start("etcd", components.etcd(layout))
    processes.start("kube-apiserver", components.apiserver(layout, pods))
    context = ssl.create_default_context(cafile=layout.pki("ca.crt"))
    context.load_cert_chain(layout.pki("admin.crt"), layout.pki("admin.key"))
    # A proxy that the environment names cannot reach the node.
    return stack.enter_context(httpx2.Client(base_url=layout.server, verify=context, trust_env=False))


def _start_controllers(layout: Layout, processes: Processes, api: httpx2.Client, say: Say) -> None:
    processes.wait("ready API server", lambda: _answers(api, "/readyz"), "kube-apiserver", WAIT)
    say("API server is ready")
    processes.start("kube-controller-manager", components.controller_manager(layout))
    processes.start("kube-scheduler", components.scheduler(layout))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    processes.wait("default ServiceAccount", lambda: _answers(api, account), "kube-controller-manager", WAIT)


def _import_images(cluster: Cluster, layout: Layout, processes: Processes, say: Say) -> None:
    pause, test = layout.directory / "pause.tar", layout.directory / "test.tar"
    images.write_program_image(layout.binaries["pause"], images.PAUSE_IMAGE, pause)
    busybox = system.find("busybox")
    assert busybox is not None
    images.write_test_image(busybox, test)
    # The socket lies in the mounts of the node; from here it is seen through the root of its first process.
    running = Path(f"/proc/{processes.pid}/root/run/containerd/containerd.sock")
    processes.wait("containerd", running.exists, "containerd", WAIT)
    for tar in (pause, test):
        images.import_image(cluster, tar)
        tar.unlink()
    say("imported the images pause and test")


def _cgroup(directory: Path, stack: ExitStack) -> str:
    """A name of this run's own, kept in a file so that a later run can remove what a crash left."""
    name = f"kmcp-{os.getpid()}-{os.urandom(3).hex()}"
    (directory / "cgroup").write_text(name)
    stack.callback(cgroups.remove, name)
    cgroups.create(name)
    return name


def _answers(api: httpx2.Client, path: str) -> bool:
    try:
        return api.get(path).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False  # Not listening yet: the caller waits, with a deadline.


def _node_ready(api: httpx2.Client) -> bool:
    response = api.get(f"/api/v1/nodes/{NODE}")
    if response.status_code != httpx2.codes.OK:
        return False
    node = response.json()
    ready = {"type": "Ready", "status": "True"}.items()
    # Ready is not enough: until the controllers take the taint of a new node away, no pod is placed on it.
    return not node["spec"].get("taints") and any(
        ready <= condition.items() for condition in node["status"].get("conditions", [])
    )


def _with_version(cluster: Cluster, api: httpx2.Client) -> Cluster:
    return cluster.with_version(str(api.get("/version").raise_for_status().json()["gitVersion"]))
