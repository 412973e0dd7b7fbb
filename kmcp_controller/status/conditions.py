"""From what was observed to the conditions of an MCPServer. Pure: the time comes in as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kmcp_runtime.catalog import Drift, Fault

_SUMMARY = 900  # characters of the drift in a message of 1,024
Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Condition:
    type: str
    status: Status
    reason: str
    message: str


@dataclass(frozen=True)
class Rollout:
    """The Deployment as seen in this pass; on this machine, its process."""

    current: bool = True  # generation observed and spec-hash as rendered
    wanted: int = 1
    replicas: int = 0
    updated: int = 0
    available: int = 0
    terminating: int = 0
    deadline_exceeded: bool = False
    cause: str = ""  # why a container fails, redacted
    backend: str = ""  # body of /readyz when it was not 200: what is absent and what to set

    @property
    def complete(self) -> bool:
        """No pod of an earlier template is left, also when there is none at all."""
        return self.current and self.updated == self.replicas == self.available


@dataclass(frozen=True)
class Listing:
    """What a server said of itself."""

    protocol_version: str
    server_info: dict[str, str]
    tools: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    missing: list[str] = field(default_factory=list)
    """What of it could not be taken, beyond its tools, in one sentence each."""


@dataclass(frozen=True)
class Discovery:
    """The outcome of asking a server for its tools."""

    reason: str = (
        "Discovered"  # or Unreachable, NotMCP, AuthRequired, ListFailed, TooLarge; Pending, NotReady, Disabled
    )
    message: str = ""


@dataclass(frozen=True)
class Observed:
    """Everything the conditions depend on. None: not looked at, so nothing is claimed."""

    accepted: str = "accepted"
    programmed: str = "every object is as rendered"
    faults: Sequence[Fault] = ()
    fault_reason: str = "InvalidConfig"
    missing: Sequence[tuple[str, str]] | None = ()  # reason, message; None: may not be read
    failed: Sequence[tuple[str, str]] = ()  # reason, message, in apply order
    rollout: Rollout | None = None
    discovery: Discovery = field(default_factory=lambda: Discovery("Pending"))
    drift: Drift | None = None  # None: no reference
    blocked: str = ""  # hash of what pods offer that are held back for it
    paused: bool = False
    waiting: bool = False  # the Deployment is not applied yet: as many others roll as may
    deleting: bool = False


def conditions(observed: Observed) -> list[Condition]:
    """All six, in the order of the contract."""
    accepted = _accepted(observed)
    resolved = _resolved(observed)
    programmed = _programmed(observed)
    ready = _ready(observed, accepted, programmed)
    discovered = _discovered(observed.discovery)
    return [accepted, resolved, programmed, ready, discovered, _matched(observed, discovered)]


def remote_conditions(url: str, discovery: Discovery, drift: Drift | None) -> list[Condition]:
    """As of an MCPServer, without those that are about pods."""
    observed = Observed(discovery=discovery, drift=drift)
    *_, discovered, matched = conditions(observed)
    answers = discovered.status == "True"
    reason = "Available" if answers else discovered.reason
    text = f"answers at {url}" if answers else discovered.message
    return [Condition("Ready", discovered.status, reason, text), discovered, matched]


def refused_remote(faults: Sequence[Fault]) -> list[Condition]:
    """Of one that cannot be asked as it is written."""
    accepted, *_ = conditions(Observed(faults=faults))
    return [accepted, Condition("Ready", "False", accepted.reason, accepted.message)]


def merge(old: Iterable[dict[str, Any]], new: Iterable[Condition], generation: int, now: str) -> list[dict[str, Any]]:
    """As the resource holds them; `lastTransitionTime` moves only with `status`."""
    before = {each["type"]: each for each in old}
    merged = []
    for each in new:
        last = before.get(each.type, {})
        moved = last.get("status") != each.status
        merged.append(
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message[:32768],
                "observedGeneration": generation,
                "lastTransitionTime": now if moved else last["lastTransitionTime"],
            }
        )
    return merged


def _accepted(observed: Observed) -> Condition:
    if observed.faults:
        return Condition("Accepted", "False", observed.fault_reason, "\n".join(map(str, observed.faults)))
    return Condition("Accepted", "True", "Accepted", observed.accepted)


def _resolved(observed: Observed) -> Condition:
    if observed.faults:
        return Condition("ResolvedRefs", "Unknown", "NotAccepted", "the spec is not valid")
    if observed.missing is None:
        return Condition("ResolvedRefs", "Unknown", "NotChecked", "Secrets may not be read")
    if observed.missing:
        message = "; ".join(text for _, text in observed.missing)
        return Condition("ResolvedRefs", "False", observed.missing[0][0], message)
    return Condition("ResolvedRefs", "True", "ResolvedRefs", "every reference exists")


def _programmed(observed: Observed) -> Condition:
    if observed.faults:
        return Condition("Programmed", "False", "NotAccepted", "the spec is not valid")
    if observed.deleting:
        return Condition("Programmed", "Unknown", "Deleting", "it is being deleted, and its objects go with it")
    if observed.paused:
        return Condition(
            "Programmed", "Unknown", "Paused", "kmcp-suite/paused is set: the objects are left as they are"
        )
    if observed.failed:
        message = "; ".join(text for _, text in observed.failed)
        return Condition("Programmed", "False", observed.failed[0][0], message)
    if observed.waiting:
        return Condition("Programmed", "Unknown", "Waiting", "the Deployment waits until other rollouts have finished")
    return Condition("Programmed", "True", "Programmed", observed.programmed)


def _ready(observed: Observed, accepted: Condition, programmed: Condition) -> Condition:
    if accepted.status != "True":
        # `kubectl get` shows this reason alone.
        return Condition("Ready", "False", accepted.reason, f"not accepted: {accepted.message}".splitlines()[0])
    if observed.rollout is None or observed.deleting:
        text = "being deleted" if observed.deleting else "no Deployment yet"
        return Condition("Ready", "False", "PodsNotReady", text)
    rolling = observed.rollout.cause if observed.waiting else unready(observed.rollout)
    text = rolling or ("" if programmed.status == "True" else programmed.message)
    if text:
        return Condition("Ready", "False", "NotAvailable", text)
    return Condition("Ready", "True", "Available", f"{observed.rollout.available} available")


def unready(rollout: Rollout) -> str:
    """Why the declared configuration does not serve; empty when it does."""
    if rollout.wanted == 0:
        return "scaled to zero"
    if rollout.deadline_exceeded:
        return f"rollout stalled: {rollout.cause}" if rollout.cause else "rollout stalled"
    if not rollout.current or rollout.updated != rollout.replicas:
        text = f"rolling out: {rollout.updated} of {rollout.wanted} updated"
        return f"{text}; {rollout.cause}" if rollout.cause else text
    if rollout.available < rollout.wanted:
        text = rollout.cause or f"{rollout.available} of {rollout.wanted} available"
        return text + (f" ({rollout.terminating} terminating)" if rollout.terminating else "")
    return f"backend: {rollout.backend}" if rollout.backend else ""


def _discovered(discovery: Discovery) -> Condition:
    status: Status = "False"
    if discovery.reason == "Discovered":
        status = "True"
    elif discovery.reason in ("Pending", "NotReady", "Disabled"):
        status = "Unknown"
    return Condition("ToolsDiscovered", status, discovery.reason, discovery.message)


def _matched(observed: Observed, discovered: Condition) -> Condition:
    if observed.blocked and observed.drift:
        text = f"{observed.drift.summary(_SUMMARY)}; offered {observed.blocked}"
        return Condition("CatalogMatched", "False", "Blocked", text)
    if discovered.status != "True":
        return Condition("CatalogMatched", "Unknown", "NotDiscovered", "the server has not listed its tools yet")
    if observed.drift is None:
        return Condition("CatalogMatched", "Unknown", "NoReference", "there is no reference to compare with")
    if not observed.drift:
        return Condition("CatalogMatched", "True", "Matched", "the tools match the reference")
    reason = "BreakingDrift" if observed.drift.breaking else "Drift"
    return Condition("CatalogMatched", "False", reason, observed.drift.summary())
