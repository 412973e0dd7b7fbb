"""A running controller: what its watches show goes into the store and the queue, passes take it from there."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kmcp_controller.cluster.client import LABEL, Cluster
from kmcp_controller.cluster.lease import Lease
from kmcp_controller.cluster.queue import Queue, Urgency
from kmcp_controller.cluster.store import Key, Store, keys_of
from kmcp_controller.reconcile.options import Options
from kmcp_controller.reconcile.reconciler import Reconciler
from kmcp_runtime import redaction
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.failures import StatusFailure

_WATCHED = ("MCPServer", "Deployment", "Service", "ServiceAccount", "ConfigMap", "HorizontalPodAutoscaler")
_UNWATCHED = ("NetworkPolicy", "RemoteMCPServer", "Role", "RoleBinding")
_UNLABELLED = ("MCPServer", "HorizontalPodAutoscaler")
_PING_SECONDS, _LOOK_SECONDS, _AWAY_SECONDS = 5.0, 600.0, 60.0
_UNWATCHED_SECONDS = 30.0  # between looks while a namespace has no watch
_DRAIN_SECONDS = 2.0  # for Events that wait to be written when the controller ends
_LOG = logging.getLogger("kmcp.controller")


class Companion(Protocol):
    """What lives and acts with a controller: the live catalog."""

    async def start(self) -> None: ...
    def lead(self, held: bool) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Place:
    """Where this controller works and what it is called."""

    namespaces: Sequence[str] = ()  # empty: all
    lease_namespace: str = ""  # empty: it is the only one
    identity: str = "controller"
    deployment: str = ""  # that runs it, with which the Lease goes away
    workers: int = 16


class Controller:
    def __init__(self, cluster: Cluster, options: Options, place: Place) -> None:
        loop = asyncio.get_running_loop()
        self.place, self.cluster, self.store = place, cluster, Store()
        self.watched = (*_WATCHED, "Secret") if options.secrets == "watch" else _WATCHED
        self.reconciler = Reconciler(cluster, self.store, options, loop.time)
        self.queue = Queue(self.reconciler.reconcile, self._failed, cluster.metrics.queue_wait.observe)
        cluster.metrics.queue_items.set_function(lambda: len(self.queue))
        self._lease = Lease(cluster, place.lease_namespace, place.identity, place.deployment, self._lead)
        self._tasks: list[asyncio.Task[None]] = []
        self.companion: Companion | None = None
        self.unreadable: dict[str, str] = {}  # namespaces of `place` that cannot be read, and why
        self.started = False
        self._unwatched = False  # there are namespaces without a watch

    async def watchable(self) -> list[str]:
        """The namespaces of `place` that can be read now. The others are not watched, but listed now and then."""
        found = []
        for namespace in self.place.namespaces:
            try:
                await self.cluster.list_objects(_WATCHED[0], namespace)
                found.append(namespace)
            except StatusFailure as failure:
                if failure.http_status not in (403, 404):
                    raise
                self._miss(namespace, failure)
        self._unwatched = bool(self.unreadable)
        return found

    async def start(self) -> None:
        """Read what there is before the first pass: one that missed an autoscaler would take its replicas."""
        for kind in (*_WATCHED, *_UNWATCHED):
            await self._list(kind)
        await self.reconciler.writer.learn()
        if self.companion:
            await self.companion.start()
        for key in self.store.servers():
            self.queue.add(key, Urgency.RESYNC)
        self._tasks = [
            asyncio.create_task(self.queue.run(self.place.workers)),
            asyncio.create_task(self.reconciler.recorder.run()),
            asyncio.create_task(self._refresh()),
        ]
        if self.place.lease_namespace:
            self._tasks.append(asyncio.create_task(self._lease.run()))
        else:
            self._allow(True)
        self.started = True

    async def stop(self) -> None:
        if self.companion:
            await self.companion.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.reconciler.recorder.wait_until_written()
        # After the Events: they are what tells a person why the controller ended.
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                _LOG.error("a task of the controller ended: %s", outcome)

    def see(self, event: Mapping[str, Any]) -> None:
        """One event of a watch. What our own writes have already answered is ignored."""
        found, gone = event["object"], event["type"] == "DELETED"
        if found["kind"] == "Secret":  # which are not stored
            for key in self.reconciler.acceptance.readers(found["metadata"]["namespace"], found["metadata"]["name"]):
                self.queue.add(key, Urgency.DRIFT)
            return
        news = self.store.drop(found) or found["kind"] != "MCPServer" if gone else self.store.put(found)
        if news:
            self._news(found)

    def health(self) -> tuple[bool, str]:
        """Whether it does its work, and what to know of it in one line."""
        if asyncio.get_running_loop().time() - self.cluster.answered_at >= _AWAY_SECONDS:
            return False, "the API server has not answered for a minute"
        if not self.started:
            return False, "starting: what there is has not been read yet"
        if not self.unreadable:
            return True, "ok"
        names = ", ".join(sorted(self.unreadable))
        text = f"cannot be read: {names}; create them and their Roles, or take them out of rbac.namespaces"
        return len(self.unreadable) < len(self.place.namespaces), text

    async def _list(self, kind: str) -> None:
        """All objects of a kind; what has come, changed or gone since is news."""
        selector = "" if kind in _UNLABELLED else LABEL
        for namespace in self.place.namespaces or (None,):
            try:
                found = await self.cluster.list_objects(kind, namespace, selector)
            except StatusFailure as failure:
                if failure.http_status not in (403, 404):
                    raise
                if kind in _UNWATCHED:
                    continue  # RemoteMCPServer: its definition is not installed; the others: not granted
                if namespace is None:
                    raise
                self._miss(namespace, failure)
                continue
            if kind == "RemoteMCPServer":
                self.reconciler.surroundings.remote_served = True
            elif kind == _WATCHED[0] and namespace:
                self.unreadable.pop(namespace, None)
            self._take(kind, namespace, found)

    def _miss(self, namespace: str, failure: StatusFailure) -> None:
        """One namespace of several that is gone, or whose rights are: the others go on without it."""
        if namespace not in self.unreadable:
            _LOG.warning("namespace %s cannot be read: %s", namespace, redaction.text(failure.message))
        self.unreadable[namespace] = redaction.text(failure.message)

    def _take(self, kind: str, namespace: str | None, found: Sequence[Mapping[str, Any]]) -> None:
        there = {each["metadata"]["uid"] for each in found}
        # A deletion that happened while a watch was broken never arrives as an event.
        for gone in [each for each in self.store.of_kind(kind, namespace) if each["metadata"]["uid"] not in there]:
            self.store.forget(gone)
            self._news(gone)
        for each in found:
            if self.store.put(each):
                self._news(each)

    def _news(self, found: Mapping[str, Any]) -> None:
        urgency = Urgency.SPEC if found["kind"] == "MCPServer" else Urgency.DRIFT
        for key in keys_of(found):
            self.queue.add(key, urgency)
        if found["kind"] == "Deployment":  # perhaps it has rolled
            for key in self.reconciler.limiter.waiting_longest():
                self.queue.add(key, Urgency.RESYNC)

    async def _refresh(self) -> None:
        """Look again at what no watch shows: what went while the API server was away, and other kinds."""
        loop = asyncio.get_running_loop()
        looked, away = loop.time(), False
        while True:
            await asyncio.sleep(_PING_SECONDS)
            try:
                await self.cluster.ping()
                pause = _UNWATCHED_SECONDS if self._unwatched else _LOOK_SECONDS
                if not away and loop.time() - looked < pause:
                    continue
                await self.reconciler.writer.learn()
                for kind in (*_WATCHED, *_UNWATCHED):
                    await self._list(kind)
                looked, away = loop.time(), False
            except ToolFailure as failure:
                if not away:
                    _LOG.warning("the API server does not answer: %s", redaction.text(failure.message))
                away = True

    def _lead(self, held: bool) -> None:
        _LOG.warning("%s the lease", "holding" if held else "not holding")
        for key in self.store.servers() if held else ():
            self.queue.add(key, Urgency.RESYNC)
        self._allow(held)

    def _allow(self, held: bool) -> None:
        self.queue.allow(held)
        self.cluster.metrics.leader.set(held)
        if self.companion:
            self.companion.lead(held)

    def _failed(self, key: Key, error: Exception) -> None:
        text = redaction.text(f"{type(error).__name__}: {error}")
        known = isinstance(error, ToolFailure)
        _LOG.warning(text, exc_info=None if known else error)
