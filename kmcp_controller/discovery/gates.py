"""Pods pinned with `block`: each gets traffic once its tools are those of the reference, by a readiness gate set here.

A new pod is asked at its own address, a running one again after `interval` seconds. What could not be learnt changes no
gate, so with the controller away new pods wait and old ones go on.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kmcp_controller.cluster.client import Cluster, identity
from kmcp_controller.cluster.store import Key
from kmcp_controller.render.pod import GATE
from kmcp_controller.spec import MCPServer
from kmcp_controller.status.conditions import Listing
from kmcp_runtime import redaction
from kmcp_runtime.catalog import Drift
from kmcp_runtime.errors import ToolFailure

from .mcp_client import DiscoveryError
from .pins import tools_hash

Object = Mapping[str, Any]
Ask = Callable[[MCPServer, str], Awaitable[Listing]]
Compare = Callable[[MCPServer, Listing], Awaitable[Drift | None]]
_LOG = logging.getLogger("kmcp.controller")
_MESSAGE = 1024


@dataclass(frozen=True)
class Held:
    """Why a pod gets no traffic, and the hash of what it offers."""

    drift: Drift
    hash: str


@dataclass
class _Heard:
    """What one pod said of itself."""

    listing: Listing | None = None
    held: Held | None = None
    due: float = 0.0


class Gatekeeper:
    """`requeue` asks for a pass over a server that has news."""

    def __init__(
        self, cluster: Cluster, ask: Ask, compare: Compare, requeue: Callable[[Key], None], interval: float
    ) -> None:
        self._cluster, self._ask, self._compare, self._requeue, self._interval = (
            cluster,
            ask,
            compare,
            requeue,
            interval,
        )
        self._heard: dict[Key, dict[str, _Heard]] = {}  # by UID of the pod
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def look(self, key: Key, server: MCPServer) -> Held | None:
        """A pod that is held back, as last seen; starts the next look."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._look(key, server))
        heard = self._heard.get(key, {}).values()
        return next((each.held for each in heard if each.held), None)

    def forget(self, key: Key) -> None:
        self._heard.pop(key, None)
        if task := self._tasks.pop(key, None):
            task.cancel()

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, key: Key, server: MCPServer) -> None:
        try:
            if await self._look_at_pods(key, server):
                self._requeue(key)
        except ToolFailure as failure:
            _LOG.warning("the pods could not be listed: %s", redaction.text(failure.message))
        finally:
            # One that was forgotten ends when the next has begun already.
            if self._tasks.get(key) is asyncio.current_task():
                del self._tasks[key]

    async def _look_at_pods(self, key: Key, server: MCPServer) -> bool:
        """Whether anything is new since the last look."""
        selector = f"app.kubernetes.io/name={server.name},app.kubernetes.io/instance={server.name}"
        pods = [pod for pod in await self._cluster.list_objects("Pod", server.namespace, selector) if _waits(pod)]
        known = self._heard.get(key, {})
        self._heard[key] = {pod["metadata"]["uid"]: known.get(pod["metadata"]["uid"], _Heard()) for pod in pods}
        held = {uid for uid, each in known.items() if each.held}
        news = await asyncio.gather(
            *(self._judge_pod(server, pod, self._heard[key][pod["metadata"]["uid"]]) for pod in pods)
        )
        return any(news) or held != {uid for uid, each in self._heard[key].items() if each.held}

    async def _judge_pod(self, server: MCPServer, pod: Object, heard: _Heard) -> bool:
        if time.monotonic() >= heard.due:
            try:
                heard.listing = await self._ask(server, server.url_at(pod["status"]["podIP"]))
                heard.due = time.monotonic() + self._interval
            except DiscoveryError as error:
                _LOG.info("pod %s could not be asked for its tools: %s", pod["metadata"]["name"], error)
        if heard.listing is None:
            return False
        drift = await self._compare(server, heard.listing)
        heard.held = Held(drift, tools_hash(heard.listing)) if drift else None
        return await self._write_condition(pod, drift)

    async def _write_condition(self, pod: Object, drift: Drift | None) -> bool:
        """Write the pod's condition where it differs; whether it did."""
        status, reason = ("False", "Drift") if drift else ("True", "Matched")
        message = drift.summary(_MESSAGE) if drift else "the tools match the reference"
        wanted = {"type": GATE, "status": status, "reason": reason, "message": message}
        live = condition(pod, GATE)
        if all(live.get(name) == value for name, value in wanted.items()):
            return False
        moved = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # lastTransitionTime moves with the status only, as the API's conventions say.
        since = live["lastTransitionTime"] if live.get("status") == status else moved
        body = {**identity(pod), "status": {"conditions": [{**wanted, "lastTransitionTime": since}]}}
        await self._cluster.apply(body, force=True, subresource="status")
        return True


def condition(pod: Object, type_: str) -> Object:
    conditions: Sequence[Object] = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == type_), {})


def _waits(pod: Object) -> bool:
    """A pod with the gate whose containers run."""
    gates = {gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()}
    running = condition(pod, "ContainersReady").get("status") == "True" and bool(pod["status"].get("podIP"))
    return GATE in gates and running and not pod["metadata"].get("deletionTimestamp")
