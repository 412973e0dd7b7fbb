"""DNS in a cluster that has none of its own: coredns in a pod, behind the Service address that pods are told to ask.

What is made here is part of the cluster and stays for other tests; making it again changes nothing.
"""

import tempfile
from pathlib import Path
from typing import Any

from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.cluster.images import import_image, write_program_image
from tests.cluster.model import Cluster
from tests.waiting import until

IMAGE = "localhost/kmcp-coredns:1"
NAME, NAMESPACE, ROLE = "kube-dns", "kube-system", "kmcp-test-dns"
_SELECTOR = {"k8s-app": NAME}
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))
# Answers are not kept for long: tests make and remove Services faster than clusters do.
_COREFILE = """
.:53 {
    errors
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        ttl 1
    }
}
"""
_RULES = [
    {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


async def serves_dns(api: KubeApi) -> bool:
    """Whether the cluster's DNS Service has a pod that answers."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    slices = (await api.get(path, [("labelSelector", f"kubernetes.io/service-name={NAME}")]))["items"]
    return any(endpoint["conditions"].get("ready") for each in slices for endpoint in each.get("endpoints") or ())


async def serve_dns(api: KubeApi, cluster: Cluster, coredns: Path) -> None:
    """Run coredns in the cluster, and wait until it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "coredns.tar"
        write_program_image(coredns, IMAGE, tar)
        import_image(cluster, tar)
    for found in _objects(await _read_dns_address(api)):
        await apply(api, found, NAMESPACE)
    await until(lambda: serves_dns(api), what="DNS in the cluster")


async def _read_dns_address(api: KubeApi) -> str:
    """Where the kubelet tells pods to ask."""
    (node, *_) = (await api.get("/api/v1/nodes"))["items"]
    settings = await api.get(f"/api/v1/nodes/{node['metadata']['name']}/proxy/configz")
    return str(settings["kubeletconfig"]["clusterDNS"][0])


def _objects(address: str) -> list[dict[str, Any]]:
    """In the order in which they need one another."""
    rbac = "rbac.authorization.k8s.io/v1"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    ports = [{"name": name, "protocol": protocol, "port": 53} for name, protocol in _PORTS]
    return [
        _object("v1", "ServiceAccount"),
        _object(rbac, "ClusterRole", ROLE, rules=_RULES),
        _object(rbac, "ClusterRoleBinding", ROLE, roleRef=role, subjects=[subject]),
        _object("v1", "ConfigMap", data={"Corefile": _COREFILE}),
        _object("v1", "Service", spec={"clusterIP": address, "selector": _SELECTOR, "ports": ports}),
        _object("apps/v1", "Deployment", spec=_deployment()),
    ]


def _object(api_version: str, kind: str, name: str = NAME, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def _deployment() -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/coredns", "-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/coredns"}],
    }
    pod = {
        "serviceAccountName": NAME,
        # ClusterFirst would make it ask itself.
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "settings", "configMap": {"name": NAME}}],
    }
    return {
        "selector": {"matchLabels": _SELECTOR},
        "template": {"metadata": {"labels": _SELECTOR}, "spec": pod},
    }
