"""Whether proxies have what istiod sent them."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from pydantic import Field

from kmcp_istio import pods
from kmcp_istio.arguments import PodName, Revision
from kmcp_istio.client import Mesh, Object
from kmcp_istio.control_plane import differences, istiod, sync
from kmcp_istio.rights import FORWARD, PODS, WORKLOADS
from kmcp_runtime import (
    Cursor,
    Effect,
    Limit,
    OptionalNamespace,
    bad_argument,
    did_you_mean,
    not_found,
    sliced,
    tool,
)


class ProxyStatuses(istiod.AskedPage[sync.ProxyStatus]):
    """Proxies by name, as each istiod sees them."""

    counts: dict[str, int] = Field(description="Proxies, and how many are synced, stale or in error")
    diff: dict[str, differences.Difference] | None = Field(default=None, description="Names that only one side has")


@tool(Effect.READ, needs=(PODS, WORKLOADS, FORWARD))
async def istio_proxy_status(
    mesh: Mesh,
    pod_name: PodName | None = None,
    namespace: OptionalNamespace = None,
    diff: Annotated[bool, "Compare with the pod's proxy"] = False,
    revision: Revision = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ProxyStatuses:
    """Show whether proxies have the configuration that istiod sent; start here when a change has no effect."""
    if diff and not pod_name:
        raise bad_argument("diff: needs pod_name", "diff compares istiod with one proxy")
    istiods = await istiod.list_istiods(mesh, revision)
    pod = await _find_pod(mesh, pod_name, namespace, diff)
    answers = await istiod.ask_all(
        mesh, istiods, f"/debug/syncz{f'?namespace={quote(namespace)}' if namespace else ''}"
    )
    every = [row for one, connected in answers.given for row in sync.rows(connected, one.pod)]
    found = sorted(_chosen(every, pod_name, namespace, pod), key=lambda row: (row.proxy, row.istiod))
    bound_to = {"context": mesh.context.name, "pod": pod_name, "namespace": namespace, "revision": revision}
    return sliced(
        ProxyStatuses,
        found,
        limit,
        cursor,
        bound_to,
        counts=sync.counts(found),
        unreachable=answers.unreachable or None,
        hint=None if found else _why_no_proxies(namespace),
        diff=await differences.compare_with_proxy(mesh, istiods, pod) if diff and pod else None,
    )


async def _find_pod(mesh: Mesh, pod_name: str | None, namespace: str | None, diff: bool) -> Object | None:
    """The pod itself, where its name alone is not enough."""
    if not pod_name or not (diff or "/" in pod_name):
        return None
    pod = await pods.find_pod(mesh, pod_name, mesh.namespace(namespace))
    if diff:
        await pods.check_envoy(mesh, pod)
    return pod


def _chosen(
    every: Sequence[sync.ProxyStatus], pod_name: str | None, namespace: str | None, pod: Object | None
) -> list[sync.ProxyStatus]:
    wanted = pods.proxy_of(pod) if pod else pod_name
    found = [row for row in every if _is_wanted(row.proxy, wanted, namespace)]
    if wanted and not found:
        # Both forms are offered, since callers give either.
        near = did_you_mean(wanted, [row.proxy for row in every] + [row.proxy.rpartition(".")[0] for row in every])
        explains = f"istio_proxy_config pod_name={wanted} shows whether it has a proxy"
        raise not_found(f"no istiod has a proxy {wanted!r}", near or explains)
    return found


def _is_wanted(proxy: str, wanted: str | None, namespace: str | None) -> bool:
    name, _, home = proxy.rpartition(".")
    # A full name pod.namespace may be of another namespace than the argument.
    if namespace and home != namespace and proxy != wanted:
        return False
    return wanted is None or wanted in (proxy, name)


def _why_no_proxies(namespace: str | None) -> str:
    where = f"from namespace {namespace} " if namespace else ""
    return f"No proxy {where}is connected to istiod: are pods injected, or is the mesh ambient (istio_ztunnel_config)?"
