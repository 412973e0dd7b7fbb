"""The pass over one MCPServer: parse, references, render, apply in order, observe, prune, status."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from kmcp_controller import status
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.events import Notice, Recorder, announcements, transitions
from kmcp_controller.cluster.store import Key, Store
from kmcp_controller.render import Surroundings, render
from kmcp_controller.render.objects import SPEC_HASH
from kmcp_controller.spec import MCPServer, Platform, RefusedError, adapter_of, parse
from kmcp_controller.spec.catalog_entry import entry_of
from kmcp_controller.spec.model import OURS
from kmcp_controller.telemetry.logs import about
from kmcp_runtime.catalog import Drift, ServerEntry
from kmcp_runtime.kube.failures import StatusFailure

from . import rollout
from . import secret_references as references
from .apply import Applier, Outcome, TerminatingError, WaitError
from .backend import Readiness
from .limits import Turns
from .status_writer import StatusWriter

Object = dict[str, Any]
PAUSED = OURS + "paused"
REFS_HASH = OURS + "refs-hash"
_RESTRICTED = "pod-security.kubernetes.io/enforce"
_NAMESPACE_SECONDS = 60.0


@dataclass(frozen=True)
class Options:
    platform: Platform = field(default_factory=Platform)
    entries: Mapping[str, ServerEntry] = field(default_factory=dict)
    former_managers: Sequence[str] = ("manager",)
    secrets: Literal["get", "watch", "none"] = "get"
    max_rollouts: int = 10
    resync_seconds: float = 600.0
    references_seconds: float = 45.0
    unready_seconds: tuple[float, float] = (5.0, 30.0)  # the first look at pods, and the slowest


@dataclass(frozen=True)
class Seen:
    """What a listener is told of a server at the end of each pass."""

    server: MCPServer
    source: Object  # the MCPServer as it is in the cluster
    entry: ServerEntry | None
    adapter: str
    image: str
    ready: status.Condition
    template: str  # changes with the pods


@dataclass(frozen=True)
class Findings:
    """What a listener knows of a server's tools; `fields` are those of the status."""

    discovery: status.Discovery
    drift: Drift | None = None
    blocked: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    again: float | None = None
    """Seconds after which the listener wants to look again."""


OnObserved = Callable[[Key, Seen | None], Findings | None]
OnReported = Callable[[Key, list[Object]], None]
"""Is told the conditions that a server's status now has."""


def nothing(*_: Any) -> None:
    """The listener of a controller that catalogues nothing."""


class Reconciler:
    """Runs passes; `clock` gives seconds that only grow."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        options: Options,
        clock: Callable[[], float],
        on_observed: OnObserved = nothing,
    ) -> None:
        self.cluster, self.store, self.options, self._clock = cluster, store, options, clock
        self.on_observed = on_observed
        self.on_reported: OnReported = nothing
        self.remote_served = False
        self.writer = StatusWriter(cluster, store)
        self.turns = Turns(store, options.max_rollouts)
        self._applied: set[Key] = set()
        self._applier = Applier(cluster, store, options.former_managers)
        self.recorder = Recorder(cluster)
        self._readiness = Readiness(clock)
        self._namespaces: dict[str, tuple[float, bool]] = {}
        self._unready: dict[Key, int] = {}
        self._accepted: dict[Key, tuple[Any, MCPServer, list[references.Reference]]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass; after how many seconds to look again, None when there is nothing left to look at."""
        about.set("/".join(key))
        source = self.store.get("MCPServer", *key)
        if source is None:
            self._unready.pop(key, None)
            self._accepted.pop(key, None)
            self._applied.discard(key)
            self.turns.forget(key)
            self._readiness.forget(key)
            self._applier.forget(key)
            self.on_observed(key, None)
            return None
        metrics, started, result = self.cluster.metrics, self._clock(), "error"
        try:
            result, again = await self._pass(key, source)
        except WaitError:
            result, again = "ok", 1.0
        except TerminatingError:
            result, again = "ok", None
        finally:
            metrics.reconciles.labels(result).inc()
            metrics.reconcile_duration.observe(self._clock() - started)
        return again

    def readers(self, namespace: str, secret: str) -> list[Key]:
        """The servers that refer to a Secret."""
        return [
            key
            for key, (_, _, wanted) in self._accepted.items()
            if key[0] == namespace and any((each.kind, each.name) == ("Secret", secret) for each in wanted)
        ]

    async def _pass(self, key: Key, source: Object) -> tuple[str, float | None]:
        """What it came to, in one word, and after how many seconds to look again."""
        try:
            server, wanted = self._accept(key, source)
            rendered, resolved = await self._render(server, wanted)
        except RefusedError as error:
            observed = status.Observed(faults=error.faults, fault_reason=error.reason)
            await self._report(source, observed, {}, [])
            return "invalid", self._resync()
        paused = server.annotations.get(PAUSED) == "true"
        outcome = Outcome() if paused else await self._apply(key, source, server, rendered)
        observed = await self._observe(key, server, rendered, outcome, resolved)
        observed = replace(observed, paused=paused, waiting=outcome.waiting)
        observed = replace(observed, deleting=bool(source["metadata"].get("deletionTimestamp")))
        observed, findings = self._tell(key, source, server, rendered, observed)
        notices = [*outcome.notices, *self._announced(source, server), *findings.notices]
        await self._report(source, observed, findings.fields, notices)
        again = self._again(key, observed, bool(wanted))
        return _result(outcome), min(again, findings.again or again)

    async def rendered(self, server: MCPServer) -> list[Object]:
        """What its objects are to be, as things are now."""
        return (await self._render(server, references.wanted(server, self.options.platform)))[0]

    async def _render(
        self, server: MCPServer, wanted: Sequence[references.Reference]
    ) -> tuple[list[Object], references.Resolved]:
        resolved = await references.resolve(self.cluster, server.namespace, wanted, self.options.secrets != "none")
        return render(server, self.options.platform, await self._around(server, resolved)), resolved

    def _accept(self, key: Key, source: Object) -> tuple[MCPServer, list[references.Reference]]:
        """Parsed once for each state of spec and annotations; most passes are about the objects."""
        metadata = source["metadata"]
        state = (metadata["uid"], metadata.get("generation"), dict(metadata.get("annotations") or {}))
        known = self._accepted.get(key)
        if known is None or known[0] != state:
            server = parse(source, self.options.platform)
            known = self._accepted[key] = (state, server, references.wanted(server, self.options.platform))
        return known[1], known[2]

    async def _apply(self, key: Key, source: Object, server: MCPServer, rendered: Sequence[Object]) -> Outcome:
        before = _refs_hash(self.store.get("Deployment", server.namespace, server.name))
        with self.turns.turn(key, self._by_version(key, source, server, rendered)) as mine:
            todo = [each for each in rendered if mine or each["kind"] != "Deployment"]
            outcome = await self._applier.apply(server, todo, self._clock())
        outcome.waiting = not mine
        if mine:
            self._applied.add(key)
        after = _refs_hash(outcome.live.get("Deployment"))
        if before and after and before != after:
            outcome.notices.append(Notice("Normal", "ReferenceChanged", "a Secret or ConfigMap changed: pods roll"))
        return outcome

    def _by_version(self, key: Key, source: Object, server: MCPServer, rendered: Sequence[Object]) -> bool:
        """Whether nothing but a new version of the controller asks for another Deployment than there is.

        A process has one version: what changes after its first look at a server is asked for by something else.
        """
        live = self.store.get("Deployment", *key)
        if live is None or key in self._applied:
            return False
        wanted = next(each for each in rendered if each["kind"] == "Deployment")
        hashes = [(each["metadata"].get("annotations") or {}).get(SPEC_HASH) for each in (live, wanted)]
        return hashes[0] != hashes[1] and _refs_hash(live) in (None, _refs_hash(wanted)) and _seen(source, server)

    async def _around(self, server: MCPServer, resolved: references.Resolved) -> Surroundings:
        refs_hash = resolved.hash
        if not resolved.checked:  # what may not be read rolls nothing
            refs_hash = _refs_hash(self.store.get("Deployment", server.namespace, server.name))
        return Surroundings(
            entry=self._entry(server),
            refs_hash=refs_hash,
            restricted_namespace=await self._restricted(server.namespace),
            autoscaled=self._autoscaler(server) is not None,
            remote_served=self.remote_served,
        )

    def _entry(self, server: MCPServer) -> ServerEntry | None:
        return entry_of(server, self.options.entries, self.options.platform)

    async def _restricted(self, namespace: str) -> bool:
        now = self._clock()
        at, restricted = self._namespaces.get(namespace, (float("-inf"), False))
        if now - at > _NAMESPACE_SECONDS:
            restricted = await self._label(namespace) == "restricted"
            self._namespaces[namespace] = (now, restricted)
        return restricted

    async def _label(self, namespace: str) -> str | None:
        try:
            return (await self.cluster.namespace_labels(namespace)).get(_RESTRICTED)
        except StatusFailure as failure:
            if failure.http_status in (403, 404):
                return None
            raise

    def _autoscaler(self, server: MCPServer) -> Object | None:
        for each in self.store.of_kind("HorizontalPodAutoscaler", server.namespace):
            target = each["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == ("Deployment", server.name):
                return each
        return None

    async def _observe(
        self, key: Key, server: MCPServer, rendered: Sequence[Object], outcome: Outcome, resolved: references.Resolved
    ) -> status.Observed:
        accepted = "accepted"
        if server.extensions_hash:
            accepted += f"; extensions {server.extensions_hash}"
        missing = resolved.missing
        observed = status.Observed(accepted=accepted, missing=missing, failed=outcome.failed)
        refused = any("Deployment" in text.split()[:1] for _, text in outcome.failed)
        deployment = self.store.get("Deployment", server.namespace, server.name)
        if deployment is None or refused:
            return observed
        wanted = next(each for each in rendered if each["kind"] == "Deployment")
        found, pods = await self._rollout(key, server, deployment, wanted)
        image = rollout.unpulled(deployment, pods)
        if image and missing is not None:
            missing = (*missing, ("ImageNotFound", image))
        if found.complete and not outcome.failed and server.annotations.get(PAUSED) != "true":
            await self._applier.prune(server, rendered)
        return replace(observed, rollout=found, missing=missing)

    async def _rollout(
        self, key: Key, server: MCPServer, deployment: Object, rendered: Object
    ) -> tuple[status.Rollout, list[Object]]:
        spec_hash = rendered["metadata"]["annotations"][SPEC_HASH]
        replicas = rendered["spec"].get("replicas")
        if replicas is None:
            autoscaler = self._autoscaler(server)
            replicas = autoscaler["spec"].get("minReplicas", 1) if autoscaler else 1
        found = rollout.rollout(deployment, spec_hash, replicas)
        if found.wanted == 0:
            return found, []
        port = _management_port(rendered)
        if not status.unready(found) and not (port and self._readiness.due(key, deployment)):
            return replace(found, backend=self._readiness.backend(key) if port else ""), []
        selector = f"app.kubernetes.io/name={server.name},app.kubernetes.io/instance={server.name}"
        pods = await self.cluster.all("Pod", server.namespace, selector)
        backend = ""
        if not status.unready(found) and port:
            backend = await self._readiness.ask(key, deployment, pods, port)
        return rollout.rollout(deployment, spec_hash, replicas, pods, backend), pods

    def _tell(
        self, key: Key, source: Object, server: MCPServer, rendered: Sequence[Object], observed: status.Observed
    ) -> tuple[status.Observed, Findings]:
        """Tell the listener, and take what it knows of the tools into the status."""
        extensions = server.extensions
        adapter = adapter_of(server.transport, server.deployment, extensions.stdio_adapter, self.options.platform)
        ready = next(each for each in status.conditions(observed) if each.type == "Ready")
        deployment = next(each for each in rendered if each["kind"] == "Deployment")
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        template = deployment["metadata"]["annotations"][SPEC_HASH]
        seen = Seen(server, source, self._entry(server), adapter, image, ready, template)
        findings = self.on_observed(key, seen) or Findings(observed.discovery)
        fields: dict[str, Any] = {"url": server.url}
        if adapter != "none":
            fields["adapter"] = adapter
        if server.extensions_hash:
            fields["extensionsHash"] = server.extensions_hash
        found = replace(observed, discovery=findings.discovery, drift=findings.drift, blocked=findings.blocked)
        return found, replace(findings, fields={**fields, **findings.fields})

    async def _report(
        self, source: Object, observed: status.Observed, fields: Mapping[str, Any], notices: Sequence[Notice]
    ) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        old = (source.get("status") or {}).get("conditions") or []
        new = await self.writer.write(source, observed, fields, now)
        if new is None:
            return  # the resource is gone
        self.on_reported((source["metadata"]["namespace"], source["metadata"]["name"]), new)
        self.recorder.tell(source, [*notices, *transitions(old, new)], self._clock())

    def _announced(self, source: Object, server: MCPServer) -> list[Notice]:
        seen = (source.get("status") or {}).get("observedGeneration")
        return [] if seen == source["metadata"].get("generation") else list(announcements(server))

    def _again(self, key: Key, observed: status.Observed, referring: bool) -> float:
        times = [self._resync()]
        waiting = observed.rollout is None or bool(status.unready(observed.rollout))
        if waiting and not (observed.rollout and observed.rollout.wanted == 0):
            first, slowest = self.options.unready_seconds
            count = self._unready[key] = min(self._unready.get(key, 0) + 1, 8)
            times.append(min(first * 2 ** (count - 1), slowest))
        else:
            self._unready.pop(key, None)
        if referring:
            times.append(self.options.references_seconds)
        if observed.missing or observed.failed:
            times.append(min(10.0, self.options.references_seconds))
        if self._readiness.watched(key):
            times.append(self._readiness.SECONDS)
        return min(times)

    def _resync(self) -> float:
        return self.options.resync_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spread over time


def _result(outcome: Outcome) -> str:
    if not outcome.failed:
        return "ok"
    return "foreign" if all(reason == "ForeignObject" for reason, _ in outcome.failed) else "error"


def _seen(source: Object, server: MCPServer) -> bool:
    """Whether the status that is there was written for this spec and these extensions."""
    told = source.get("status") or {}
    accepted: Object = next((each for each in told.get("conditions") or () if each["type"] == "Accepted"), {})
    extensions = str(accepted.get("message", "")).partition("extensions ")[2]
    same = told.get("observedGeneration") == source["metadata"].get("generation")
    return same and extensions == (server.extensions_hash or "")


def _refs_hash(deployment: Mapping[str, Any] | None) -> str | None:
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    found = (template.get("metadata", {}).get("annotations") or {}).get(REFS_HASH)
    return str(found) if found else None


def _management_port(deployment: Mapping[str, Any]) -> int | None:
    ports = deployment["spec"]["template"]["spec"]["containers"][0].get("ports") or ()
    return next((each["containerPort"] for each in ports if each["name"] == "management"), None)
