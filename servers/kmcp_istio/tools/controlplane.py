"""The control plane: its versions and the clusters that it reads."""

import asyncio

from pydantic import BaseModel, Field

from kmcp_istio import istioctl
from kmcp_istio.arguments import Revision
from kmcp_istio.client import Mesh
from kmcp_istio.control_plane import istiod, sync, versions
from kmcp_istio.rights import FORWARD
from kmcp_runtime import Effect, Result, Rule, tool

_ISTIODS = Rule("", ("pods",), ("list",))


class Versions(Result):
    """The versions of all parts of the mesh."""

    control_plane: list[versions.ControlPlane]
    data_plane: list[versions.DataPlane]
    istioctl: str | None = Field(default=None, description="Of this server's binary; absent without one")
    unreachable: list[istiod.Unreachable] | None = Field(default=None, description="Each istiod that did not answer")


@tool(Effect.READ, needs=(_ISTIODS, FORWARD), ignored=("short",))
async def istio_version(mesh: Mesh, revision: Revision = None) -> Versions:
    """Show the versions of istiod, of the connected proxies and of istioctl, and whether they match."""
    istiods = await istiod.list_istiods(mesh, revision)
    control_plane, answers, binary = await asyncio.gather(
        versions.read_versions(mesh, istiods),
        istiod.ask_each(mesh, istiods, "/debug/syncz"),
        istioctl.read_version(mesh),
    )
    proxies = [proxy for _, connected in answers.given for proxy in sync.proxies(connected)]
    return Versions(
        control_plane=control_plane,
        data_plane=versions.of_proxies(proxies),
        istioctl=binary,
        unreachable=answers.unreachable or None,
        warnings=versions.mismatch(binary, control_plane),
    )


class SecretName(BaseModel):
    """The Secret with the kubeconfig of a remote cluster."""

    namespace: str
    name: str


class RemoteCluster(BaseModel):
    """One cluster as one istiod reads it."""

    cluster: str
    secret: SecretName | None = None
    status: str = Field(description="synced, or why not")
    istiod: str
    revision: str


class RemoteClusters(istiod.AskedPage[RemoteCluster]):
    """Clusters by istiod, including its own."""


@tool(
    Effect.READ,
    needs=(_ISTIODS, FORWARD),
    why="istiod is real; in a mesh of one cluster",
)
async def istio_remote_clusters(mesh: Mesh, revision: Revision = None) -> RemoteClusters:
    """List the clusters that istiod reads endpoints from, and whether it is in sync with them."""
    answers = await istiod.ask_all(mesh, await istiod.list_istiods(mesh, revision), "/debug/clusterz")
    items = [_row(cluster, one) for one, clusters in answers.given for cluster in clusters or ()]
    return RemoteClusters(
        items=items,
        # What an istiod that did not answer reads is not known.
        total=None if answers.unreachable else len(items),
        unreachable=answers.unreachable or None,
        hint=None if items or answers.unreachable else "istiod reads no other cluster: this mesh has one cluster.",
    )


def _row(cluster: dict[str, str], one: istiod.Istiod) -> RemoteCluster:
    namespace, _, name = (cluster.get("secretName") or "").rpartition("/")
    return RemoteCluster(
        cluster=cluster["id"],
        status=cluster.get("syncStatus", ""),
        istiod=one.pod,
        revision=one.revision,
        secret=SecretName(namespace=namespace, name=name) if name else None,
    )
