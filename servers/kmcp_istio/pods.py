"""Pods of the mesh: which one a caller means, which proxy it has, and the admin interface of that proxy."""

from typing import Literal

from kmcp_istio.client import Mesh, Object
from kmcp_runtime import ToolFailure, bad_argument, conflict, not_found, unavailable
from kmcp_runtime.judging import READS
from kmcp_runtime.kube.portforward import Door, ask
from kmcp_runtime.kube.selectors import selector_of

ADMIN_PORT = 15000
PROXY = "istio-proxy"
WORKLOADS = {
    "deployment": "deployments.apps",
    "deploy": "deployments.apps",
    "statefulset": "statefulsets.apps",
    "sts": "statefulsets.apps",
    "daemonset": "daemonsets.apps",
    "ds": "daemonsets.apps",
}
"""Kinds in `kind/name`, beside `pod/name`, with kubectl's short names."""
_REDIRECTED = "ambient.istio.io/redirection"
_MODE = "istio.io/dataplane-mode"
_OK = 200


def title(pod: Object) -> str:
    return f"pod {pod['metadata']['name']} (namespace {pod['metadata']['namespace']})"


def proxy_of(pod: Object) -> str:
    """The name of its proxy in istiod."""
    return f"{pod['metadata']['name']}.{pod['metadata']['namespace']}"


async def find_pod(mesh: Mesh, pod_name: str, namespace: str) -> Object:
    """The pod of `name`, `name.namespace`, or the first running one of `deployment/name`."""
    prefix, _, name = pod_name.rpartition("/")
    workload = WORKLOADS.get(prefix)
    name, dot, other = name.rpartition(".")
    if not dot:
        return await _find(mesh, workload, other, namespace)
    try:
        return await _find(mesh, workload, name, other)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        try:  # Pod names may contain dots themselves.
            return await _find(mesh, workload, f"{name}.{other}", namespace)
        except ToolFailure:
            raise failure from None


async def _find(mesh: Mesh, workload: str | None, name: str, namespace: str) -> Object:
    if workload is None:
        return await mesh.read_kind("pods", name, namespace)
    found = await mesh.read_kind(workload, name, namespace)
    selector = selector_of(found["spec"])
    pods = await mesh.list_objects("pods", namespace, selector=selector, field_selector="status.phase=Running")
    if not pods:
        raise not_found(f"{workload.partition('.')[0]} {name} in namespace {namespace} has no running pod")
    # Always the same pod, so that a page and the next are of one proxy.
    return min(pods, key=lambda pod: str(pod["metadata"]["name"]))


def proxy_in(pod: Object) -> Literal["envoy", "ztunnel"] | None:
    if (pod["metadata"].get("labels") or {}).get("app") == "ztunnel":
        return "ztunnel"
    # Native sidecars are init containers that keep running (Kubernetes 1.28 and later).
    containers = [*pod["spec"].get("containers", ()), *(pod["spec"].get("initContainers") or ())]
    return "envoy" if any(container["name"] == PROXY for container in containers) else None


async def check_envoy(mesh: Mesh, pod: Object) -> None:
    """Refuse a pod without an Envoy, and name the tool to use instead."""
    proxy, name = proxy_in(pod), pod["metadata"]["name"]
    if proxy == "ztunnel":
        raise bad_argument(
            f"{title(pod)} is a ztunnel, which has no Envoy configuration", f"istio_ztunnel_config pod_name={name}"
        )
    if proxy is None:
        raise bad_argument(
            f"{title(pod)} has no proxy: it has no container {PROXY}", await _explain_no_proxy(mesh, pod)
        )
    check_runs(pod)


def check_runs(pod: Object) -> None:
    phase = (pod.get("status") or {}).get("phase", "Unknown")
    if phase != "Running":
        raise conflict(f"{title(pod)} is not running: its phase is {phase}", "choose a running pod")


async def _explain_no_proxy(mesh: Mesh, pod: Object) -> str:
    metadata = pod["metadata"]
    home = await mesh.read_if_permitted("namespaces", metadata["namespace"])
    labels = ((home or {}).get("metadata") or {}).get("labels") or {}
    # istio-cni annotates the pods whose traffic it redirects, whatever the label of their namespace is by now.
    redirected = (metadata.get("annotations") or {}).get(_REDIRECTED) == "enabled"
    if redirected or labels.get(_MODE) == "ambient":
        where = f"pod_name={metadata['name']}.{metadata['namespace']}"
        return f"it is in the ambient mesh, where the ztunnel of its node serves it: use istio_ztunnel_config {where}"
    return (
        f"it is not in the mesh: label namespace {metadata['namespace']} with istio-injection=enabled (of a revision: "
        f"istio.io/rev=<revision>; ambient: {_MODE}=ambient) and restart the pod"
    )


async def ask_admin(mesh: Mesh, pod: Object, target: str, method: Literal["GET", "POST"] = "GET") -> bytes:
    """An answer of the proxy's admin interface, which only listens on the pod's loopback.

    Some of its pages are only read by POST; what changes something there takes arguments in the target.
    """
    metadata = pod["metadata"]
    door = Door(metadata["namespace"], metadata["name"], ADMIN_PORT)
    verdict = READS if method == "GET" or target == "/logging" else None
    answer = await ask(mesh.api, door, target, method, verdict=verdict)
    if answer.status != _OK:
        said = answer.content[:200].decode(errors="replace").strip()
        raise unavailable(f"the proxy of {title(pod)} answered {target} with HTTP {answer.status}: {said}")
    return answer.content
