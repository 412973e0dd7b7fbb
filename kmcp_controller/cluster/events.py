"""Events on an MCPServer: on transitions only, the same one at most every ten minutes with a count."""

import asyncio
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kmcp_controller.spec import MCPServer
from kmcp_controller.spec.model import DEFAULT_PORT
from kmcp_controller.telemetry.logs import about
from kmcp_runtime import redaction
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.failures import StatusFailure

from .client import Cluster

_LOG = logging.getLogger("kmcp.controller")
_AGAIN = 600.0
_LONGEST = 1024
_MANY = 1000
_WARNINGS = {
    "ImageNotFound": "ImagePullFailed",
    "SecretNotFound": "ReferenceNotFound",
    "ConfigMapNotFound": "ReferenceNotFound",
    "ServiceAccountNotFound": "ReferenceNotFound",
    "ForeignObject": "ForeignObject",
    "InvalidConfig": "InvalidConfig",
    "UnsupportedTransport": "InvalidConfig",
    "NotAllowed": "NotAllowed",
}


@dataclass(frozen=True)
class Notice:
    type: str  # Normal or Warning
    reason: str
    message: str


def transitions(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> Iterator[Notice]:
    """What has become of the conditions since they were last written."""
    before = {each["type"]: each for each in old}
    for each in new:
        last = before.get(each["type"])
        if last is None or _gist(last) != _gist(each):
            yield from _notice(each)
        if each["type"] == "ToolsDiscovered" and last and "" != _listed(last) != _listed(each) != "":
            yield Notice("Normal", "ToolsChanged", each["message"])


def _listed(condition: Mapping[str, Any]) -> str:
    """Hash of the last good listing, which the message holds in any state: `21 tools; sha256:…; …`."""
    return next((part for part in condition["message"].split("; ") if part.startswith("sha256:")), "")


def _gist(condition: Mapping[str, Any]) -> tuple[str, str, str]:
    first = condition["message"].split("\n")[0]
    if condition["type"] == "Ready":  # counts of a rollout go by; only these two are worth an Event
        first = next((word for word in ("CrashLoopBackOff", "rollout stalled") if word in first), "")
    return condition["status"], condition["reason"], first


def _notice(condition: Mapping[str, Any]) -> Iterator[Notice]:
    kind, status, reason, message = (condition[key] for key in ("type", "status", "reason", "message"))
    if status == "True" and kind in ("Programmed", "Ready"):
        yield Notice("Normal", kind, message)
    elif kind == "Ready" and "CrashLoopBackOff" in message:
        yield Notice("Warning", "CrashLooping", message)
    elif kind == "Ready" and "rollout stalled" in message:
        yield Notice("Warning", "RolloutStalled", message)
    elif kind == "Programmed" and reason.endswith("Failed"):
        yield Notice("Warning", "ApplyFailed", message)
    elif status == "False" and kind == "CatalogMatched":
        yield Notice("Warning", "CatalogDrift", f"{reason}: {message}")
    elif status == "False" and reason in _WARNINGS and kind != "Ready":
        yield Notice("Warning", _WARNINGS[reason], message)


def announcements(server: MCPServer) -> Iterator[Notice]:
    """What whoever wrote this spec should know, once for each generation."""
    port, target = server.port, server.target_port
    if target != port and target != DEFAULT_PORT and port != DEFAULT_PORT:
        yield Notice(
            "Warning", "TargetPortDiffers", f"port {port} of the Service leads to port {target} of the container"
        )
    if server.path != "/mcp":
        yield Notice(
            "Warning", "PathNotSeenByKagent", f"kagent connects to /mcp, but this server answers at {server.path}"
        )


class Recorder:
    """Writes Events, one after the other: statuses of hundreds of servers do not wait for them, nor fail with them.

    Repeats are counted in memory, since a transition is never seen twice by a new process.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting: asyncio.Queue[tuple[Mapping[str, Any], Notice, float]] = asyncio.Queue()
        self._written: dict[tuple[str, str, str], tuple[dict[str, Any], float, int]] = {}
        self._full = _MANY  # how many are remembered before old ones are dropped

    def record(self, server: Mapping[str, Any], notices: Iterable[Notice], now: float) -> None:
        for notice in notices:
            level = logging.WARNING if notice.type == "Warning" else logging.INFO
            _LOG.log(level, "%s: %s", notice.reason, notice.message)
            self._waiting.put_nowait((server, notice, now))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            server, notice, now = await self._waiting.get()
            about.set("{namespace}/{name}".format_map(server["metadata"]))
            try:
                await self._write(server, notice, now)
            except ToolFailure as failure:
                # Forbidden or not found: the namespace goes away, or Events are not granted.
                if not isinstance(failure, StatusFailure) or failure.http_status not in (403, 404):
                    _LOG.warning("the Event %s was not written: %s", notice.reason, redaction.text(failure.message))
            finally:
                self._waiting.task_done()

    async def wait_until_written(self) -> None:
        """Return once everything that was recorded is written."""
        await self._waiting.join()

    async def _write(self, server: Mapping[str, Any], notice: Notice, now: float) -> None:
        at = (server["metadata"]["uid"], notice.reason, notice.message.split("\n")[0])
        event, last, count = self._written.get(at, ({}, 0.0, 0))
        if event and now - last < _AGAIN:
            self._written[at] = (event, last, count + 1)
            return
        if event:
            await self._cluster.patch(event, {"count": count + 1, "lastTimestamp": _stamp()})
        else:
            event = await self._cluster.create(_event(server, notice))
        self._cluster.metrics.events.labels(notice.type, notice.reason).inc()
        if len(self._written) >= self._full:
            self._written = {key: each for key, each in self._written.items() if now - each[1] < 2 * _AGAIN}
            self._full = max(_MANY, 2 * len(self._written))
        self._written[at] = ({key: event[key] for key in ("apiVersion", "kind", "metadata")}, now, count + 1)


def _event(server: Mapping[str, Any], notice: Notice) -> dict[str, Any]:
    metadata, stamp = server["metadata"], _stamp()
    involved = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    name = f"{metadata['name']}.{uuid.uuid4().hex[:16]}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": server["apiVersion"], "kind": server["kind"], **involved},
        "type": notice.type,
        "reason": notice.reason,
        "message": notice.message[:_LONGEST],  # the API server refuses more
        "source": {"component": "kmcp-controller"},
        "reportingComponent": "kmcp-controller",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
