"""Brings each rendered object into the cluster: creates it, adopts it, repairs it, refuses it or leaves it as it is."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_controller.cluster.client import HANDOVER, LABEL, OWNED, Cluster, identity
from kmcp_controller.cluster.events import Notice
from kmcp_controller.cluster.store import Key, Store
from kmcp_controller.render.objects import SPEC_HASH, account_name
from kmcp_controller.spec import MCPServer
from kmcp_runtime.kube.failures import StatusFailure

from .difference import drift
from .ownership import is_ours, judge, owns_replicas, strangers, taken_over

Object = dict[str, Any]
_REFUSALS = (400, 403, 404, 409, 413, 422)
_REPORTED_AS = {"RoleBinding": "Role"}
_CONTEST = (3, 60.0, 600.0)  # repairs, within seconds, then seconds of rest


class ForeignError(Exception):
    """The place is taken; says by what, and the ways out."""


class WaitError(Exception):
    """The object is on its way out; a pass in a moment will find its place free."""


class TerminatingError(Exception):
    """The namespace goes away: there is nothing to do."""


@dataclass
class Outcome:
    """What became of all objects of one pass."""

    live: dict[str, Object] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    waiting: bool = False


class Applier:
    def __init__(self, cluster: Cluster, store: Store, former: Sequence[str]) -> None:
        self._cluster, self._store, self._former = cluster, store, former
        self._settled: dict[str, tuple[str, str]] = {}  # by UID: resourceVersion and hash that an apply left unchanged
        self._repairs: dict[str, deque[float]] = {}
        self._there: dict[Key, set[str]] = {}  # by server: kinds of the objects that it had

    async def apply(self, server: MCPServer, rendered: Sequence[Object], now: float) -> Outcome:
        """All objects in order; one that is refused does not keep the others from being applied."""
        outcome = Outcome()
        for each in rendered:
            kind = each["kind"]
            try:
                outcome.live[kind] = await self._apply_one(server, each, outcome, now)
                self._there.setdefault((server.namespace, server.name), set()).add(kind)
            except ForeignError as error:
                self._count(kind, "refused")
                outcome.failed.append(("ForeignObject", str(error)))
            except StatusFailure as failure:
                if _terminating(failure):
                    raise TerminatingError from None
                if failure.http_status not in _REFUSALS and "not declared in schema" not in failure.message:
                    raise
                self._count(kind, "failed")
                reason = f"{_REPORTED_AS.get(kind, kind)}Failed"
                outcome.failed.append((reason, f"{kind} {each['metadata']['name']}: {failure.message}"))
        return outcome

    async def _apply_one(self, server: MCPServer, rendered: Object, outcome: Outcome, now: float) -> Object:
        metadata = rendered["metadata"]
        place = (rendered["kind"], metadata["namespace"], metadata["name"])
        try:
            return await self._apply_once(server, rendered, self._store.get(*place), outcome, now)
        except StatusFailure as failure:
            if failure.http_status != 409:
                raise
            # What is stored is stale, or somebody else's object is in the place: look at it, one time.
            self._store.forget(rendered)
            return await self._apply_once(server, rendered, await self._cluster.read(*place), outcome, now)

    async def _apply_once(
        self, server: MCPServer, rendered: Object, live: Object | None, outcome: Outcome, now: float
    ) -> Object:
        if live is None:
            made = self._keep(await self._cluster.create_by_apply(rendered), "created")
            if made["kind"] in self._there.get((server.namespace, server.name), ()):
                text = f"{made['kind']} {made['metadata']['name']}: it had been deleted"
                outcome.notices.append(Notice("Normal", "DriftRepaired", text))
            return made
        verdict = judge(live, rendered, server.name, server.uid)
        if verdict.action == "refuse":
            raise ForeignError(verdict.why)
        if verdict.action == "wait":
            self._store.forget(rendered)
            raise WaitError(verdict.why)
        if verdict.action == "adopt":
            live = await self._adopt(server, live, outcome)
            return self._keep(await self._force_apply(rendered, live, outcome), "adopted")
        if rendered["kind"] == "RoleBinding" and live["roleRef"] != rendered["roleRef"]:  # which cannot be changed
            await self._cluster.delete(live)
            self._store.forget(live)
            return self._keep(await self._cluster.create_by_apply(rendered), "changed")
        if self._matches_live(rendered, live) or not await self._may_repair(rendered, live, outcome, now):
            self._count(rendered["kind"], "unchanged")
            return live
        return self._keep(await self._force_apply(rendered, live, outcome), "changed")

    async def _force_apply(self, rendered: Object, live: Object, outcome: Outcome) -> Object:
        if rendered["kind"] == "Deployment":
            await self._release_replicas(rendered, live, outcome)
        body = {**rendered, "metadata": {**rendered["metadata"], "uid": live["metadata"]["uid"]}}
        done = await self._cluster.apply(body, force=True)
        if "replicas" in (rendered.get("spec") or {}) and not owns_replicas(live):
            if owns_replicas(done, HANDOVER):
                done = await self._cluster.withdraw(done, HANDOVER)
            outcome.notices.append(Notice("Normal", "ReplicasOwned", f"replicas: {rendered['spec']['replicas']}"))
        if done["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]:
            self._settled[live["metadata"]["uid"]] = (live["metadata"]["resourceVersion"], _hash(rendered))
        return done

    async def _release_replicas(self, rendered: Object, live: Object, outcome: Outcome) -> None:
        """Hand the field to another manager first: dropping an owned field resets it to one."""
        if "replicas" in rendered["spec"] or not owns_replicas(live):
            return
        metadata = rendered["metadata"]
        fresh = await self._cluster.read("Deployment", metadata["namespace"], metadata["name"])
        if fresh is None or not owns_replicas(fresh):
            return
        body = {**identity(fresh), "spec": {"replicas": fresh["spec"]["replicas"]}}
        await self._cluster.apply(body, force=True, manager=HANDOVER)
        outcome.notices.append(Notice("Normal", "ReplicasReleased", "replicas are no longer set by the controller"))

    async def _adopt(self, server: MCPServer, live: Object, outcome: Outcome) -> Object:
        metadata = live["metadata"]
        fresh = await self._cluster.read(live["kind"], metadata["namespace"], metadata["name"]) or live
        fields = taken_over(fresh["metadata"].get("managedFields") or (), self._former)
        if fields is not None:
            # Without this the former controller's fields survive every apply: command, env, volumes.
            body = {"managedFields": fields, "resourceVersion": fresh["metadata"]["resourceVersion"]}
            fresh = await self._cluster.patch(fresh, {"metadata": body})
        outcome.notices.append(Notice("Normal", "Adopted", f"{live['kind']} {metadata['name']}"))
        if live["kind"] == "Deployment":
            await self._label_config(server)
        return fresh

    async def _label_config(self, server: MCPServer) -> None:
        """A ConfigMap that upstream made beside the Deployment: labelled, it is pruned like our own."""
        found = await self._cluster.read("ConfigMap", server.namespace, server.name)
        owners = (found or {}).get("metadata", {}).get("ownerReferences") or ()
        if found and any(each["uid"] == server.uid for each in owners):
            self._store.put(await self._cluster.patch(found, {"metadata": {"labels": {LABEL: server.name}}}))

    def _matches_live(self, rendered: Object, live: Object) -> bool:
        settled = self._settled.get(live["metadata"]["uid"])
        if settled == (live["metadata"]["resourceVersion"], _hash(rendered)):
            return True
        ours = "replicas" in (rendered.get("spec") or {}) or not owns_replicas(live)
        return ours and _hash(live) == _hash(rendered) and not any(drift(rendered, live))

    async def _may_repair(self, rendered: Object, live: Object, outcome: Outcome, now: float) -> bool:
        """Whether an object that differs is applied: always at first, not for ever against somebody who insists."""
        metadata = live["metadata"]
        if _hash(live) != _hash(rendered):
            return True
        paths = ", ".join(list(drift(rendered, live))[:3])
        most, within, rest = _CONTEST
        times = self._repairs.setdefault(metadata["uid"], deque(maxlen=most))
        # Two controllers that repair each other would write for ever: after three repairs ours rests ten minutes.
        if len(times) == most and times[-1] - times[0] < within and now - times[-1] < rest:
            fresh = await self._cluster.read(live["kind"], metadata["namespace"], metadata["name"])
            others = ", ".join(strangers(fresh)) if fresh else ""
            text = f"{live['kind']} {metadata['name']}: {paths} is changed again and again, by one of: {others}"
            outcome.notices.append(Notice("Warning", "FieldContested", text))
            return False
        times.append(now)
        outcome.notices.append(Notice("Normal", "DriftRepaired", f"{live['kind']} {metadata['name']}: {paths}"))
        return True

    def forget(self, key: Key) -> None:
        """That server is gone, and its objects with it."""
        self._there.pop(key, None)

    def _keep(self, found: Object, result: str) -> Object:
        self._store.put(found)
        self._count(found["kind"], result)
        return found

    def _count(self, kind: str, result: str) -> None:
        self._cluster.metrics.applies.labels(kind, result).inc()

    async def prune(self, server: MCPServer, rendered: Sequence[Object]) -> list[str]:
        """Delete what has our label and owner but is no longer rendered; returns the names."""
        kept = {(each["kind"], each["metadata"]["name"]) for each in rendered}
        gone = []
        for kind in OWNED:
            for name in {server.name, account_name(server)}:
                each = self._store.get(kind, server.namespace, name)
                if each and (kind, name) not in kept and is_ours(each, server.name, server.uid):
                    await self._cluster.delete(each)
                    self._store.drop(each)
                    self._there.get((server.namespace, server.name), set()).discard(kind)
                    self._cluster.metrics.pruned.labels(kind).inc()
                    gone.append(f"{kind} {name}")
        return gone


def _hash(found: Mapping[str, Any]) -> str:
    return str((found["metadata"].get("annotations") or {}).get(SPEC_HASH, ""))


def _terminating(failure: StatusFailure) -> bool:
    causes = {str(each.get("reason")) for each in failure.causes}
    return failure.http_status == 403 and ("NamespaceTerminating" in causes or "being terminated" in failure.message)
