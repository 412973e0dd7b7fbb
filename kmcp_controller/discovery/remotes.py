"""Servers elsewhere: the RemoteMCPServers that people have written, asked for their tools like the servers of pods.

Those of trusted namespaces alone: whoever writes one chooses where the controller sends a request, and which Secrets it
reads for its headers. Those that the controller or the chart makes lead to MCPServers, which are asked already.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kmcp_controller import status
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer, place
from kmcp_controller.cluster.client import LABEL, Cluster
from kmcp_controller.cluster.store import Key
from kmcp_controller.reconcile.listener import Findings, Seen
from kmcp_controller.spec.remote import REMOTE, RemoteServer
from kmcp_runtime import redaction
from kmcp_runtime.catalog import InvalidDocumentError
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.failures import StatusFailure

from .remote_addresses import parse_shown

_LOOK_SECONDS = 30.0
_LOG = logging.getLogger("kmcp.discovery")
Object = dict[str, Any]
Observe = Callable[[Key, Seen | None], Findings | None]


class RemoteServers:
    """`observe` is a DiscoverySchedule's; `namespaces` those whose authors are trusted, None for all."""

    def __init__(
        self,
        cluster: Cluster,
        live: LiveDocument,
        observe: Observe,
        namespaces: Sequence[str] | None,
        servers: Callable[[], Sequence[Key]],
    ) -> None:
        self._cluster, self._live, self._observe, self._servers = cluster, live, observe, servers
        self._namespaces = namespaces
        self._seen: dict[Key, Object] = {}
        self._conditions: dict[Key, list[Object]] = {}
        self._told: set[str] = set()
        self._refused: set[Key] = set()
        self._unread: set[str | None] = set()
        self.listed = False
        """What there is was read once at least, in every namespace."""
        self._news = asyncio.Event()
        self._pause = _LOOK_SECONDS

    def requeue(self, _: Key) -> None:
        """One of them has answered."""
        self._news.set()

    @property
    def uids(self) -> set[str]:
        return {each["metadata"]["uid"] for each in self._seen.values()}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            try:
                async with asyncio.timeout(self._pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """List them, and take over what is known of each."""
        self._news.clear()
        try:
            found = await self._list()
        except ToolFailure as failure:
            # As they were: what cannot be listed now is not gone.
            self._tell(f"RemoteMCPServers cannot be listed: {redaction.text(failure.message)}")
            return
        for key in self._seen.keys() - found.keys():
            self._observe(key, None)
            self._conditions.pop(key, None)
            self._refused.discard(key)
        self._seen, self._pause = found, _LOOK_SECONDS
        self.listed = self.listed or not self._unread
        # What another process has published, or this one before it was started anew, may be gone by now.
        self._live.keep({*self._servers(), *found, *filter(self._is_unread, map(place, self._live.described()))})
        for key, each in found.items():
            self._take(key, each)

    def _is_unread(self, key: Key) -> bool:
        return not self._unread.isdisjoint((None, key[0]))

    async def _list(self) -> dict[Key, Object]:
        found: dict[Key, Object] = {}
        own = set(self._servers())
        self._unread = set()
        for namespace in (None,) if self._namespaces is None else self._namespaces:
            try:
                listed = await self._cluster.list_objects(REMOTE, namespace)
            except StatusFailure as failure:
                if failure.http_status == 403:  # what may not be looked at is not gone
                    self._unread.add(namespace)
                    self._tell(f"RemoteMCPServers cannot be listed: {redaction.text(failure.message)}")
                elif failure.http_status != 404:
                    raise
                continue  # the kind is not installed, or not granted
            for each in listed:
                key = (each["metadata"]["namespace"], each["metadata"]["name"])
                if LABEL not in (each["metadata"].get("labels") or {}) and not _leads_to(each, own):
                    if key in own:
                        self._tell(f"RemoteMCPServer {'/'.join(key)} is not listed: an MCPServer has its name")
                        continue
                    found[key] = each
        return {key: each for key, each in self._seen.items() if self._is_unread(key) and key not in own} | found

    def _take(self, key: Key, found: Object) -> None:
        try:
            server = parse_shown(found)
        except InvalidDocumentError as error:
            if key not in self._refused:  # it may have been one that could be asked
                self._observe(key, None)
            self._refused.add(key)
            self._live.update(_refused(key, found, self._merged(key, found, status.refused_remote(error.faults))))
            return
        self._refused.discard(key)
        ready = status.Condition("Ready", "True", "Remote", "it is asked where it is")
        known = self._conditions.setdefault(key, self._published(server))
        source = {**found, "status": {"conditions": known}}
        template = f"{found['metadata']['uid']}/{server.generation}"
        findings = self._observe(key, Seen(server, source, None, "none", "", ready, template))
        if findings:
            self._pause = min(self._pause, findings.requeue_after or _LOOK_SECONDS)
            # Not asked yet in this process: what is known stays.
            asked = not known or findings.discovery.reason != "Pending"
            conditions = status.remote_conditions(server.url, findings.discovery, findings.drift)
            self._live.report(key, self._merged(key, found, conditions) if asked else known)

    def _published(self, server: RemoteServer) -> list[Object]:
        """What was last published of this very server: there is no status in which it would stand."""
        shown = self._live.get(server.namespace, server.name) or {}
        same = (shown.get("uid"), shown.get("url")) == (server.uid, server.url)
        return list(shown.get("conditions") or ()) if same else []

    def _merged(self, key: Key, found: Object, new: list[status.Condition]) -> list[Object]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        generation = found["metadata"].get("generation", 1)
        self._conditions[key] = status.merge(self._conditions.get(key, []), new, generation, now)
        return self._conditions[key]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            _LOG.warning("%s", text)


def _leads_to(found: Mapping[str, Any], servers: set[Key]) -> bool:
    """Whether its address is the Service of an MCPServer."""
    try:
        host = urlsplit(str((found.get("spec") or {}).get("url"))).hostname or ""
    except ValueError:
        return False
    labels = host.split(".")
    if len(labels) == 1:
        labels.append(found["metadata"]["namespace"])
    inside = len(labels) == 2 or labels[2] == "svc"
    return inside and (labels[1], labels[0]) in servers


def _refused(key: Key, found: Object, conditions: list[Object]) -> LiveServer:
    url = str((found.get("spec") or {}).get("url", ""))
    return LiveServer(*key, redaction.text(url), "http", "", conditions, found["metadata"]["uid"])
