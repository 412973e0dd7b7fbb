"""The pass over one MCPServer: accept, resolve, render, apply, observe, prune, ask the listener, report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kmcp_controller import status
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.events import Notice, Recorder, announcements, transitions
from kmcp_controller.cluster.store import Key, Store
from kmcp_controller.render import render
from kmcp_controller.render.objects import SPEC_HASH
from kmcp_controller.spec import MCPServer, RefusedError, adapter_of
from kmcp_controller.spec.model import OURS
from kmcp_controller.telemetry.logs import about

from . import rollout, secret_references
from .acceptance import Acceptance
from .apply import Applier, Outcome, TerminatingError, WaitError
from .backend import BackendReadiness
from .limits import RolloutLimiter
from .listener import Findings, OnObserved, OnReported, Seen, ignore
from .observation import Observation
from .options import Options
from .requeue import Requeue
from .status_writer import StatusWriter
from .surroundings import SurroundingsReader, refs_hash
from .tenants import Tenants

Object = dict[str, Any]
PAUSED = OURS + "paused"


class Reconciler:
    """Runs passes; `clock` gives seconds that only grow."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        options: Options,
        clock: Callable[[], float],
        on_observed: OnObserved = ignore,
    ) -> None:
        self.cluster, self.store, self.options, self._clock = cluster, store, options, clock
        self.on_observed = on_observed
        self.on_reported: OnReported = ignore
        self.acceptance = Acceptance(options.platform)
        self._tenants = Tenants(cluster, options.tenancy, clock)
        self.surroundings = SurroundingsReader(cluster, store, options, clock)
        self.limiter = RolloutLimiter(store, options.max_rollouts)
        self.recorder = Recorder(cluster)
        self.writer = StatusWriter(cluster, store)
        self._applier = Applier(cluster, store, options.former_managers)
        self._readiness = BackendReadiness(clock)
        self._observation = Observation(cluster, self.surroundings, self._readiness)
        self._requeue = Requeue(options, self._readiness)
        self._applied: set[Key] = set()

    async def reconcile(self, key: Key) -> float | None:
        """One pass; after how many seconds to look again, None when there is nothing left to look at."""
        about.set("/".join(key))
        source = self.store.get("MCPServer", *key)
        if source is None:
            self._forget(key)
            return None
        metrics, started, result = self.cluster.metrics, self._clock(), "error"
        try:
            result, requeue_after = await self._pass(key, source)
        except WaitError:
            result, requeue_after = "ok", 1.0
        except TerminatingError:
            result, requeue_after = "ok", None
        finally:
            metrics.reconciles.labels(result).inc()
            metrics.reconcile_duration.observe(self._clock() - started)
        return requeue_after

    def _forget(self, key: Key) -> None:
        """The MCPServer is gone. Its objects go by their ownerReferences: nothing is deleted here."""
        self._applied.discard(key)
        for each in (self._requeue, self.acceptance, self.limiter, self._readiness, self._applier):
            each.forget(key)
        self.on_observed(key, None)

    async def _pass(self, key: Key, source: Object) -> tuple[str, float | None]:
        """What it came to, in one word, and after how many seconds to look again."""
        try:
            server, wanted = self.acceptance.accept(key, source)
            await self._tenants.check(source, server)
            rendered, resolved = await self._render(server, wanted)
        except RefusedError as error:
            observed = status.Observed(faults=error.faults, fault_reason=error.reason)
            await self._report(source, observed, {}, [])
            return "invalid", self._requeue.resync()
        paused, deleting = server.annotations.get(PAUSED) == "true", bool(source["metadata"].get("deletionTimestamp"))
        # What is ending is left to end: its objects go with it, and whoever holds it waits for them to be gone.
        left_alone = paused or deleting
        outcome = Outcome() if left_alone else await self._apply(key, source, server, rendered)
        observed = await self._observe(key, server, rendered, outcome, resolved, prune=not left_alone)
        observed = replace(observed, paused=paused, waiting=outcome.waiting, deleting=deleting)
        observed, findings = self._consult_listener(key, source, server, rendered, observed)
        notices = [*outcome.notices, *_announced(source, server), *findings.notices]
        await self._report(source, observed, findings.fields, notices)
        requeue_after = self._requeue.after(key, observed, bool(wanted))
        return _result(outcome), min(requeue_after, findings.requeue_after or requeue_after)

    async def render_objects(self, server: MCPServer) -> list[Object]:
        """What its objects are to be, as things are now."""
        return (await self._render(server, secret_references.wanted(server, self.options.platform)))[0]

    async def _render(
        self, server: MCPServer, wanted: Sequence[secret_references.Reference]
    ) -> tuple[list[Object], secret_references.Resolved]:
        readable = self.options.secrets != "none"
        resolved = await secret_references.resolve(self.cluster, server.namespace, wanted, readable)
        return render(server, self.options.platform, await self.surroundings.read(server, resolved)), resolved

    async def _apply(self, key: Key, source: Object, server: MCPServer, rendered: Sequence[Object]) -> Outcome:
        before = refs_hash(self.store.get("Deployment", server.namespace, server.name))
        with self.limiter.slot(key, self._by_version(key, source, server, rendered)) as mine:
            todo = [each for each in rendered if mine or each["kind"] != "Deployment"]
            outcome = await self._applier.apply(server, todo, self._clock())
        outcome.waiting = not mine
        if mine:
            self._applied.add(key)
        after = refs_hash(outcome.live.get("Deployment"))
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
        wanted = _deployment(rendered)
        hashes = [(each["metadata"].get("annotations") or {}).get(SPEC_HASH) for each in (live, wanted)]
        return hashes[0] != hashes[1] and refs_hash(live) in (None, refs_hash(wanted)) and _seen(source, server)

    async def _observe(
        self,
        key: Key,
        server: MCPServer,
        rendered: Sequence[Object],
        outcome: Outcome,
        resolved: secret_references.Resolved,
        prune: bool,
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
        found, pods = await self._observation.read_rollout(key, server, deployment, _deployment(rendered))
        image = rollout.unpulled(deployment, pods)
        if image and missing is not None:
            missing = (*missing, ("ImageNotFound", image))
        # Pods of an earlier template may still read what is rendered no more: it goes once none of them is left.
        if found.complete and not outcome.failed and prune:
            await self._applier.prune(server, rendered)
        return replace(observed, rollout=found, missing=missing)

    def _consult_listener(
        self, key: Key, source: Object, server: MCPServer, rendered: Sequence[Object], observed: status.Observed
    ) -> tuple[status.Observed, Findings]:
        """Show the listener what was observed, and take what it knows of the tools into the status."""
        extensions = server.extensions
        adapter = adapter_of(server.transport, server.deployment, extensions.stdio_adapter, self.options.platform)
        ready = next(each for each in status.conditions(observed) if each.type == "Ready")
        deployment = _deployment(rendered)
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        template = deployment["metadata"]["annotations"][SPEC_HASH]
        seen = Seen(server, source, self.surroundings.entry(server), adapter, image, ready, template)
        findings = self.on_observed(key, seen) or Findings(observed.discovery)
        # An address at which nobody answers is none.
        fields: dict[str, Any] = {"url": server.url} if ready.status == "True" else {}
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
        self.recorder.record(source, [*notices, *transitions(old, new)], self._clock())


def _deployment(rendered: Sequence[Object]) -> Object:
    return next(each for each in rendered if each["kind"] == "Deployment")


def _announced(source: Object, server: MCPServer) -> list[Notice]:
    seen = (source.get("status") or {}).get("observedGeneration")
    return [] if seen == source["metadata"].get("generation") else list(announcements(server))


def _result(outcome: Outcome) -> str:
    if not outcome.failed:
        return "ok"
    return "foreign" if all(reason == "ForeignObject" for reason, _ in outcome.failed) else "error"


def _seen(source: Object, server: MCPServer) -> bool:
    """Whether the status that is there was written for this spec and these extensions."""
    reported = source.get("status") or {}
    accepted: Object = next((each for each in reported.get("conditions") or () if each["type"] == "Accepted"), {})
    extensions = str(accepted.get("message", "")).partition("extensions ")[2]
    same = reported.get("observedGeneration") == source["metadata"].get("generation")
    return same and extensions == (server.extensions_hash or "")
