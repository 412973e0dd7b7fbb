"""What a manifest would change in a cluster. Nothing is stored there: the API server is asked by dry runs."""

import difflib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from kmcp_controller.cluster.client import OWNED, Cluster
from kmcp_controller.cluster.store import Store
from kmcp_controller.reconcile.options import Options
from kmcp_controller.reconcile.ownership import is_ours, judge
from kmcp_controller.reconcile.reconciler import Reconciler
from kmcp_controller.spec import MCPServer
from kmcp_runtime import redaction, yaml_text
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.failures import StatusFailure

Object = dict[str, Any]
_LISTED = ("Deployment", "HorizontalPodAutoscaler")
# What the API server sets, and what changes with every write.
_OTHERS = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")


@asynccontextmanager
async def open_cluster(kubeconfig: str, context: str | None) -> AsyncIterator[Cluster]:
    contexts = load_contexts(kubeconfig)
    api = KubeApi(contexts, contexts.named(context), Limits())
    try:
        yield Cluster(api)
    finally:
        await api.close()


class Planner:
    """Renders with the controller's own code, and compares with what is in the cluster."""

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster, self._options = cluster, options

    async def read_server(self, server: MCPServer) -> MCPServer:
        """The server as the cluster knows it, hence with the owner that its objects have."""
        live = await self.cluster.read("MCPServer", server.namespace, server.name)
        # Without its UID no object of the server would count as its own.
        return replace(server, uid=live["metadata"]["uid"]) if live else server

    async def render_objects(self, server: MCPServer) -> list[Object]:
        store = Store()
        # What the controller has in its store, as far as rendering asks it.
        for kind in _LISTED:
            for each in await self.cluster.list_objects(kind, server.namespace):
                store.put(each)
        reconciler = Reconciler(self.cluster, store, self._options, time.monotonic)
        reconciler.surroundings.remote_served = await self._is_served("RemoteMCPServer", server.namespace)
        return await reconciler.render_objects(server)

    async def read_live(self, rendered: Mapping[str, Any]) -> Object | None:
        metadata = rendered["metadata"]
        return await self.cluster.read(rendered["kind"], metadata["namespace"], metadata["name"])

    async def list_changes(self, server: MCPServer) -> AsyncIterator[str]:
        """Lines for each object: + new, ~ changed with a diff, = as it is, - no longer rendered, ! refused."""
        rendered = await self.render_objects(server)
        kinds = {each["kind"] for each in rendered}
        for each in rendered:
            for line in await self._plan_object(server, each):
                yield line
        for kind in (each for each in OWNED if each not in kinds):
            live = await self.cluster.read(kind, server.namespace, server.name)
            if live and is_ours(live, server.name, server.uid):
                yield f"- {kind} {server.namespace}/{server.name}"

    async def _plan_object(self, server: MCPServer, rendered: Object) -> list[str]:
        metadata = rendered["metadata"]
        what = f"{rendered['kind']} {metadata['namespace']}/{metadata['name']}"
        live = await self.read_live(rendered)
        verdict = judge(live, rendered, server.name, server.uid) if live else None
        if live and verdict and verdict.action in ("refuse", "wait"):
            return [f"! {what}: {verdict.why}"]
        try:
            planned = await self.cluster.apply(rendered, force=True, dry_run=True)
        except StatusFailure as failure:
            return [f"! {what}: {failure.message}"]
        if live is None:
            return [f"+ {what}"]
        # Values of an env are the user's own, but a terminal is not the place for them.
        lines = list(_diff(live, planned))
        adopted = " (adopted)" if verdict and verdict.action == "adopt" else ""
        return [f"~ {what}{adopted}", *lines] if lines else [f"= {what}{adopted}"]

    async def _is_served(self, kind: str, namespace: str) -> bool:
        try:
            await self.cluster.list_objects(kind, namespace)
        except ToolFailure:
            return False
        return True


def _diff(live: Object, planned: Object) -> Iterator[str]:
    before, after = (
        yaml_text.write(redaction.value(_told(each)), sort_keys=True).splitlines() for each in (live, planned)
    )
    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    return (f"    {line}" for line in lines if not line.startswith(("---", "+++")))


def _told(found: Object) -> Object:
    metadata = {key: value for key, value in found["metadata"].items() if key not in _OTHERS}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": metadata}
