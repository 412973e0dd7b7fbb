"""What rendering needs to know of the cluster around one MCPServer."""

from collections.abc import Callable, Mapping
from typing import Any

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.store import Store
from kmcp_controller.render import Surroundings
from kmcp_controller.spec import MCPServer
from kmcp_controller.spec.catalog_entry import entry_of
from kmcp_controller.spec.model import OURS
from kmcp_runtime.catalog import ServerEntry
from kmcp_runtime.kube.failures import StatusFailure

from .options import Options
from .secret_references import Resolved

Object = dict[str, Any]
REFS_HASH = OURS + "refs-hash"
_POD_SECURITY = "pod-security.kubernetes.io/enforce"  # label of a namespace, read by Pod Security admission
_NAMESPACE_SECONDS = 60.0


class SurroundingsReader:
    """Remembers a namespace's level for a minute: namespaces are not watched."""

    def __init__(self, cluster: Cluster, store: Store, options: Options, clock: Callable[[], float]) -> None:
        self._cluster, self._store, self._options, self._clock = cluster, store, options, clock
        self._namespaces: dict[str, tuple[float, bool]] = {}
        self.remote_served = False
        """The API server has the kind RemoteMCPServer."""

    async def read(self, server: MCPServer, resolved: Resolved) -> Surroundings:
        found = resolved.hash
        if not resolved.checked:  # what may not be read must not roll pods: the hash stays as it is
            found = refs_hash(self._store.get("Deployment", server.namespace, server.name))
        return Surroundings(
            entry=self.entry(server),
            refs_hash=found,
            restricted_namespace=await self._is_restricted(server.namespace),
            autoscaled=self.autoscaler(server) is not None,
            remote_served=self.remote_served,
        )

    def entry(self, server: MCPServer) -> ServerEntry | None:
        return entry_of(server, self._options.entries, self._options.platform)

    def autoscaler(self, server: MCPServer) -> Object | None:
        """The HorizontalPodAutoscaler of the server's Deployment."""
        for each in self._store.of_kind("HorizontalPodAutoscaler", server.namespace):
            target = each["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == ("Deployment", server.name):
                return each
        return None

    async def _is_restricted(self, namespace: str) -> bool:
        now = self._clock()
        at, restricted = self._namespaces.get(namespace, (float("-inf"), False))
        if now - at > _NAMESPACE_SECONDS:
            restricted = await self._read_enforced_level(namespace) == "restricted"
            self._namespaces[namespace] = (now, restricted)
        return restricted

    async def _read_enforced_level(self, namespace: str) -> str | None:
        try:
            return (await self._cluster.read_namespace_labels(namespace)).get(_POD_SECURITY)
        except StatusFailure as failure:
            if failure.http_status in (403, 404):
                return None
            raise


def refs_hash(deployment: Mapping[str, Any] | None) -> str | None:
    """The hash over Secrets and ConfigMaps that a Deployment's pods were started with."""
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    found = (template.get("metadata", {}).get("annotations") or {}).get(REFS_HASH)
    return str(found) if found else None
