"""Connecting and disconnecting clusters of a mesh."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kmcp_cilium.arguments import check_cluster_name, split
from kmcp_cilium.chart import cluster_mesh, releases
from kmcp_cilium.chart.cluster_mesh import Side
from kmcp_cilium.chart.releases import ChangedValue, ReleaseChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import chart_tool
from kmcp_cilium.state.load_balancer import check_frontend
from kmcp_runtime import DryRun, Effect, Result, bad_argument, conflict, not_found
from kmcp_runtime.helm import releases as stored

RemoteName = Annotated[str, AfterValidator(check_cluster_name), "The remote cluster's name"]
RemoteContext = Annotated[str | None, "The remote cluster's kube context"]
SourceContext = Annotated[str | None, "This cluster's kube context"]


class SideChange(BaseModel):
    """What changed in one cluster's release."""

    cluster: str
    context: str
    values: list[ChangedValue]
    revision: int
    changed: bool


class Connection(Result):
    """Both sides of a connection."""

    sides: list[SideChange]
    result: str = Field(description="What happened")
    changed: bool
    ca_match: bool | None = Field(default=None, description="Whether both have the same certificate authority")
    dry_run: bool | None = None


@chart_tool(Effect.WRITE, worst=Effect.DESTROY, timeout=2 * releases.SECONDS)
async def cilium_connect_to_remote_cluster(
    cilium: Cilium,
    cluster_name: RemoteName,
    context: RemoteContext = None,
    source_context: SourceContext = None,
    endpoints: Annotated[
        list[Annotated[str, AfterValidator(check_frontend)]] | None, BeforeValidator(split), "Its IP:PORT"
    ] = None,
    mode: Annotated[Literal["unicast", "bidirectional"], "This side, or both"] = "bidirectional",
    dry_run: DryRun = False,
) -> Connection:
    """Connect this cluster with another one; cluster mesh must be on in both."""
    # Both releases are read before either changes: half a connection would be worse than none.
    here, there = await _read_sides(cilium, context)
    cluster_mesh.check(here, there, cluster_name)
    match = await cluster_mesh.compare_authorities(here.cilium, there.cilium)
    wanted = [(here, cluster_mesh.added(here, there.name, await cluster_mesh.describe_access(there, endpoints, match)))]
    if mode == "bidirectional":
        wanted.append(
            (there, cluster_mesh.added(there, here.name, await cluster_mesh.describe_access(here, None, match)))
        )
    warnings = [] if match else ["The clusters have different authorities: certificates were added to the values."]
    return await _change_sides(wanted, "connected", dry_run, ca_match=match, warnings=warnings or None)


@chart_tool(Effect.DESTROY, timeout=2 * releases.SECONDS)
async def cilium_disconnect_remote_cluster(
    cilium: Cilium,
    cluster_name: RemoteName,
    context: RemoteContext = None,
    source_context: SourceContext = None,
    dry_run: DryRun = False,
) -> Connection:
    """Disconnect another cluster from this one; with its context, on both sides."""
    here = await cluster_mesh.read_side(cilium)
    if cluster_name not in here.connected():
        connected = ", ".join(here.connected()) or "none"
        raise not_found(f"cluster_name: {cluster_name!r} is not connected to {here.name}", f"connected: {connected}")
    wanted = [(here, cluster_mesh.removed(here, cluster_name))]
    if context:
        there = await cluster_mesh.read_side(cilium.remote(context))
        if here.name in there.connected():
            wanted.append((there, cluster_mesh.removed(there, here.name)))
    hint = (
        None
        if context
        else "The other cluster is still connected to this one: give its context to disconnect both sides."
    )
    return await _change_sides(wanted, "disconnected", dry_run, hint=hint)


@chart_tool(Effect.WRITE, worst=Effect.DESTROY, timeout=releases.SECONDS, idempotent=True)
async def cilium_toggle_cluster_mesh(
    cilium: Cilium,
    enable: Annotated[bool, "On or off"] = True,
    service_type: Annotated[
        Literal["LoadBalancer", "NodePort", "ClusterIP"] | None, "Service for other clusters"
    ] = None,
    kvstoremesh: Annotated[bool, "Cache remote state"] = True,
    force: Annotated[bool, "Even if clusters are connected"] = False,
    dry_run: DryRun = False,
) -> ReleaseChange:
    """Switch cluster mesh on or off: the API server that other clusters read this one's state from."""
    here = await cluster_mesh.read_side(cilium)
    if not enable and here.connected() and not force:
        raise conflict(
            f"clusters are connected: {', '.join(here.connected())}",
            "cilium_disconnect_remote_cluster first, or force=true",
        )
    if enable and service_type is None and not releases.value_at(here.release.config, "clustermesh.apiserver.service"):
        raise bad_argument(
            "service_type: required, since other clusters must reach this one",
            "use LoadBalancer, NodePort, or ClusterIP within a VPN",
        )
    values: dict[str, Any] = {"clustermesh.useAPIServer": enable}
    settings = {
        "clustermesh.apiserver.service.type": service_type,
        "clustermesh.apiserver.kvstoremesh.enabled": kvstoremesh,
        # Certificates of the default method come from Helm and change with every upgrade.
        "clustermesh.apiserver.tls.auto.method": "cronJob",
    }
    # Switching off leaves the settings, so that switching on again restores them.
    values |= {path: value for path, value in settings.items() if enable and value is not None}
    return await releases.change_values(cilium, here.release, releases.nested(values), dry_run)


async def _read_sides(cilium: Cilium, context: str | None) -> tuple[Side, Side]:
    others = [each.name for each in cilium.contexts.all if each.name != cilium.context.name]
    if context is None:
        raise bad_argument(
            "context: required; give that of the remote cluster", f"contexts: {', '.join(others) or 'none other'}"
        )
    if context == cilium.context.name:
        raise bad_argument(f"context: {context!r} is this cluster", f"contexts: {', '.join(others) or 'none'}")
    return await cluster_mesh.read_side(cilium), await cluster_mesh.read_side(cilium.remote(context))


async def _change_sides(wanted: list[tuple[Side, dict[str, Any]]], done: str, dry_run: bool, **more: Any) -> Connection:
    # Both before either is changed.
    for side, _ in wanted:
        stored.bind(side.release, side.cilium.context.name)
    sides = []
    for side, values in wanted:
        change = await releases.change_values(side.cilium, side.release, values, dry_run)
        sides.append(
            SideChange(
                cluster=side.name,
                context=side.cilium.context.name,
                revision=change.revision,
                changed=change.result != "unchanged",
                values=[_without_keys(value) for value in change.values],
            )
        )
    changed = any(side.changed for side in sides)
    result = f"would be {done}" if dry_run and changed else done if changed else "unchanged"
    return Connection(sides=sides, result=result, changed=changed and not dry_run, dry_run=dry_run or None, **more)


def _without_keys(value: ChangedValue) -> ChangedValue:
    """The change without certificates and keys."""
    is_tls = ".tls." in value.path
    shown = {side: _shown(getattr(value, side), is_tls) for side in ("before", "after")}
    return value.model_copy(update=shown)


def _shown(node: Any, is_tls: bool) -> Any:
    if is_tls:
        return "given" if node else None
    if isinstance(node, list):
        return [_shown(each, False) for each in node]
    if isinstance(node, Mapping):
        # A list of clusters is one value, with the certificates inside of it.
        return {key: _shown(each, key == "tls") for key, each in node.items()}
    return node
