"""What tests of the controller do: make MCPServers, run controllers, look at what became of it."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kmcp_controller.cluster import watches
from kmcp_controller.cluster.client import KINDS, Cluster
from kmcp_controller.program.controller import Controller, Place
from kmcp_controller.reconcile.options import Options
from kmcp_controller.reconcile.reconciler import Reconciler
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.credentials import load
from kmcp_runtime.kube.failures import StatusFailure
from tests.cluster.model import Cluster as Given
from tests.controller.manifests import PLATFORM
from tests.patience import limits
from tests.rights import create_token
from tests.slowness import scaled
from tests.waiting import until

Object = dict[str, Any]
OPTIONS = Options(platform=PLATFORM, references_seconds=1.0, unready_seconds=(0.5, 1.0))
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class AuditedApi(KubeApi):
    """Keeps the writes that it sends, and those that were refused."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.writes: list[tuple[str, str]] = []
        self.refused: list[str] = []

    async def send(self, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if method != "GET":
            self.writes.append((method, path))
        try:
            return await super().send(method, path, *rest, **named)
        except StatusFailure as failure:
            if method != "GET":
                self.refused.append(f"{method} {path}: {failure.message}")
            raise


class Running:
    """A controller in a thread of its own: kopf ends every task of the loop that it runs in."""

    def __init__(
        self,
        kubeconfig: str,
        options: Options,
        place: Place,
        prepare: Callable[[Controller, Cluster], object] | None = None,
    ) -> None:
        self._given = kubeconfig, options, place
        self._prepare = prepare
        self.stop, self.ready = threading.Event(), threading.Event()
        self.writes: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.reconciler: Reconciler | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    async def _run(self) -> None:
        kubeconfig, options, place = self._given
        contexts = load_contexts(kubeconfig)
        context = contexts.named(None)
        api = AuditedApi(contexts, context, limits())
        api.writes, api.refused = self.writes, self.refused
        cluster = Cluster(api)
        controller = Controller(cluster, options, place)
        if self._prepare:
            self._prepare(controller, cluster)
        self.reconciler = controller.reconciler
        credentials = await load(contexts, context)
        try:
            await watches.run(
                controller,
                credentials,
                context,
                namespaces=controller.place.namespaces,
                identity=controller.place.identity,
                stop_flag=self.stop,
                ready_flag=self.ready,
            )
        finally:
            await api.close()
            await _silence(asyncio.get_running_loop())

    async def end(self) -> None:
        self.stop.set()
        await asyncio.to_thread(self._thread.join)


async def _silence(loop: asyncio.AbstractEventLoop) -> None:
    """Let connections end before their loop does; what is left of the selector then is the loop's own pipe."""
    selector = getattr(loop, "_selector", None)
    deadline = loop.time() + scaled(2)
    while selector is not None and len(selector.get_map()) > 1 and loop.time() < deadline:
        await asyncio.sleep(0.01)


class Driver:
    portable = False
    """Whether extensions go into the annotation, as upstream's definition needs it."""

    def __init__(self, api: KubeApi, namespace: str, given: Given) -> None:
        self.api, self.namespace, self.given = api, namespace, given
        self._running: list[Running] = []

    async def start(self, options: Options = OPTIONS, kubeconfig: str = "", **place: Any) -> Running:
        where = replace(Place(namespaces=(self.namespace,)), **place)
        running = Running(kubeconfig or str(self.given.kubeconfig), options, where)
        self._running.append(running)
        assert await asyncio.to_thread(running.ready.wait, scaled(60))
        return running

    async def close(self) -> None:
        for each in self._running:
            await each.end()

    def path(self, kind: str, name: str = "") -> str:
        return KINDS[kind].path(self.namespace, name or None)

    async def server(self, deployment: Mapping[str, Any], name: str = "time", **spec: Any) -> Object:
        """Make or change an MCPServer; `annotations` go to its metadata."""
        annotations = spec.pop("annotations", {})
        if self.portable and "extensions" in spec:
            annotations = {**annotations, "kmcp-suite/extensions": json.dumps(spec.pop("extensions"))}
        body = {
            "apiVersion": "kagent.dev/v1alpha1",
            "kind": "MCPServer",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations},
            "spec": {"transportType": "http", "deployment": deployment, **spec},
        }
        return await self.apply(body)

    async def apply(self, body: Mapping[str, Any], manager: str = "user", path: str = "") -> Object:
        at = path or self.path(body["kind"], body["metadata"]["name"])
        found: Object = await self.api.send("PATCH", at, [("fieldManager", manager), ("force", "true")], body, APPLY)
        return found

    async def create(self, kind: str, name: str, **body: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace, **body.pop("metadata", {})}
        whole = {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": metadata, **body}
        made: Object = await self.api.send("POST", self.path(kind), [("fieldManager", "manager")], whole)
        return made

    async def merge(self, kind: str, name: str, body: Object, subresource: str = "") -> Object:
        at = self.path(kind, name) + subresource
        found: Object = await self.api.send("PATCH", at, [("fieldManager", "other")], body, MERGE)
        return found

    async def delete(self, kind: str, name: str) -> None:
        await self.api.send("DELETE", self.path(kind, name))

    async def get(self, kind: str, name: str = "time") -> Object | None:
        try:
            found: Object = await self.api.get(self.path(kind, name))
        except StatusFailure as failure:
            if failure.http_status == 404:
                return None
            raise
        return found

    async def wanted(self, *kinds: str) -> list[Object | None]:
        """The objects `time` without what the cluster's own controllers may add at any moment."""
        return [_without_news(await self.get(kind)) for kind in kinds]

    async def when(
        self, kind: str, holds: Callable[[Object], Any], what: str, name: str = "time", seconds: float = 30
    ) -> Object:
        """The object once it exists and that holds."""

        async def look() -> Object | None:
            return await self.get(kind, name)

        found = await until(look, lambda seen: bool(seen and holds(seen)), seconds, what)
        assert found is not None
        return found

    async def when_gone(self, kind: str, name: str) -> None:
        async def gone() -> bool:
            return await self.get(kind, name) is None

        await until(gone, what=f"{kind} {name} to be gone")

    async def condition(
        self, type_: str, status: str, reason: str = "", name: str = "time", seconds: float = 30
    ) -> Object:
        """The condition once it is so."""

        def so(found: Object) -> bool:
            each = condition(found, type_)
            return each.get("status") == status and reason in ("", each.get("reason"))

        found = await self.when("MCPServer", so, f"{type_}={status} {reason}", name, seconds)
        return condition(found, type_)

    async def events(self, name: str = "time") -> list[Object]:
        found = await self.api.get(self.path("Event"), [("fieldSelector", f"involvedObject.name={name}")])
        return list(found["items"])

    async def noticed(self, *reasons: str, name: str = "time") -> None:
        """Events of all these reasons are there, or soon will be: they follow the status."""

        async def look() -> set[str]:
            return {each["reason"] for each in await self.events(name)}

        await until(look, lambda seen: seen >= set(reasons), 10, f"Events {reasons}")

    async def quiet(self, running: Running, seconds: float = 1.5) -> None:
        """Until the controller has sent no write for a while."""
        async with asyncio.timeout(scaled(30)):
            while True:
                before = len(running.writes)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(_more(running, before), scaled(seconds))
                if len(running.writes) == before:
                    return


async def _more(running: Running, than: int) -> None:
    while len(running.writes) == than:
        await asyncio.sleep(0.1)


def condition(found: Object, type_: str) -> Object:
    each: Object
    for each in (found.get("status") or {}).get("conditions") or ():
        if each["type"] == type_:
            return each
    return {}


async def token(api: KubeApi, namespace: str, name: str) -> str:
    """Of a new ServiceAccount."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.send("POST", accounts, (), {"metadata": {"name": name}})
    return await create_token(api, namespace, name)


def _without_news(found: Object | None) -> Object | None:
    if found is None:
        return None
    metadata = {key: value for key, value in found["metadata"].items() if key != "resourceVersion"}
    metadata["managedFields"] = [
        entry for entry in metadata.get("managedFields", ()) if entry["manager"] != "kube-controller-manager"
    ]
    annotations = metadata.get("annotations", {})
    metadata["annotations"] = {key: annotations[key] for key in annotations if not key.startswith("deployment.")}
    return {**found, "metadata": metadata, "status": None}
