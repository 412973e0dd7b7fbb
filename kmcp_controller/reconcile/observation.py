"""How a Deployment gets on: from its status where that is enough, else from its pods and their backend."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kmcp_controller import status
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.store import Key
from kmcp_controller.render.objects import SPEC_HASH
from kmcp_controller.spec import MCPServer

from . import probing, rollout
from .backend import BackendReadiness
from .surroundings import SurroundingsReader

Object = dict[str, Any]


class Observation:
    """Pods are not watched (each changes several times a rollout): they are listed to explain a state."""

    def __init__(self, cluster: Cluster, surroundings: SurroundingsReader, readiness: BackendReadiness) -> None:
        self._cluster, self._surroundings, self._readiness = cluster, surroundings, readiness

    async def read_rollout(
        self, key: Key, server: MCPServer, deployment: Object, rendered: Object
    ) -> tuple[status.Rollout, list[Object]]:
        """The rollout, and the pods where they were looked at."""
        spec_hash, replicas = rendered["metadata"]["annotations"][SPEC_HASH], self._replicas(server, rendered)
        found = rollout.rollout(deployment, spec_hash, replicas)
        if found.wanted == 0:
            return found, []
        port = _management_port(rendered)
        if not status.unready(found) and not (port and self._readiness.due(key, deployment)):
            return replace(found, backend=self._readiness.backend(key) if port else ""), []
        selector = f"app.kubernetes.io/name={server.name},app.kubernetes.io/instance={server.name}"
        pods = await self._cluster.list_objects("Pod", server.namespace, selector)
        backend = ""
        if not status.unready(found) and port:
            backend = await self._readiness.ask(key, deployment, pods, port)
        found = rollout.rollout(deployment, spec_hash, replicas, pods, backend)
        waiting = None if found.cause or not status.unready(found) else rollout.unready_pod(pods)
        if waiting is not None:
            container = rendered["spec"]["template"]["spec"]["containers"][0]
            found = replace(found, cause=await probing.explain(waiting, container))
        return found, pods

    def _replicas(self, server: MCPServer, rendered: Object) -> int:
        """How many pods are wanted at least."""
        replicas = rendered["spec"].get("replicas")
        if replicas is None:
            autoscaler = self._surroundings.autoscaler(server)
            replicas = autoscaler["spec"].get("minReplicas", 1) if autoscaler else 1
        return int(replicas)


def _management_port(deployment: Mapping[str, Any]) -> int | None:
    ports = deployment["spec"]["template"]["spec"]["containers"][0].get("ports") or ()
    return next((each["containerPort"] for each in ports if each["name"] == "management"), None)
