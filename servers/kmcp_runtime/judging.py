"""What a call would do, judged at the doors: READ, WRITE or DESTROY, with the reasons in words.

Every door asks here before a request leaves that may change something: `allow` for what is about to be sent, `foresee`
for what a dry run has shown. The call that is under way decides what becomes of it: a read-only server or caller is
refused, and what destroys without a yes raises `NeedsApproval`, which the engine turns into a question. Outside of a
call (the controller, a test) nothing is judged.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from kmcp_runtime.catalog import Effect, strongest
from kmcp_runtime.counting import counted
from kmcp_runtime.errors import ToolFailure, conflict, denied, quoted

MOST_REASONS = 50
"""Reasons that are kept word for word; the rest are counted."""
_MOST_DONE = 20
"""Changed objects that a failure names."""


@dataclass(frozen=True)
class Verdict:
    """What one request does, and why it is no less: each reason in words, such as `deletes ConfigMap a/b`."""

    effect: Effect
    reasons: tuple[str, ...] = ()


READS = Verdict(Effect.READ)


def writes(*reasons: str) -> Verdict:
    return Verdict(Effect.WRITE, reasons)


def destroys(*reasons: str) -> Verdict:
    return Verdict(Effect.DESTROY, reasons)


def of_losses(losses: list[str], otherwise: str) -> Verdict:
    """DESTROY for each loss; a WRITE, called `otherwise`, where there is none."""
    return destroys(*losses) if losses else writes(otherwise)


PARTS = ("cluster", "namespace", "group", "kind", "name", "subresource")
"""What a resource is known by."""
NAMESPACES = ("", "namespaces")
"""Group and kind of the namespaces themselves."""


@dataclass(frozen=True)
class Resource:
    """What is acted on. An empty text: there is none, as the namespace of a node; None: it is not known, or any."""

    cluster: str | None = ""
    namespace: str | None = ""
    group: str | None = ""
    kind: str | None = ""
    name: str | None = ""
    subresource: str | None = ""

    @property
    def words(self) -> str:
        """As a failure names it; empty where nothing is known."""
        if (self.namespace, self.kind, self.name) == ("", "", ""):
            return ""
        kind = quoted(self.kind) if self.kind else "objects"
        within = f"/{quoted(self.subresource)}" if self.subresource else ""
        where = "" if self.namespace == "" else f"{quoted(self.namespace) if self.namespace else '(any namespace)'}/"
        return f"{kind}{within} {where}{quoted(self.name) if self.name else '(any)'}"

    def open_parts(self) -> list[str]:
        return [part for part in PARTS if getattr(self, part) is None]


class Guard(Protocol):
    """Who may refuse a call by what it does to which object: the policy."""

    def settle(self, effect: Effect) -> None:
        """Raise a failure unless the call may have this effect."""

    def reach(self, resource: Resource, effects: Collection[Effect]) -> None:
        """Raise a failure unless the call may send a request with one of these effects to this resource."""


class NeedsApproval(Exception):
    """A request destroys and nobody said yes to it. It was not sent.

    No `ToolFailure`: a tool that goes on after the failure of one of its steps must not go on after this one.
    """


def read_only(reason: str) -> ToolFailure:
    """The failure of a request that changes something, where only reading is allowed."""
    return denied(f"this would change something: {reason}", "this server or this caller may only read")


@dataclass
class Judgement:
    """What the doors have found in one call, or in its rehearsal."""

    allowed: frozenset[Effect] = frozenset(Effect)
    """Effects that the server and the caller's scopes allow."""
    refusal: Callable[[str], ToolFailure] = read_only
    """The failure of a request that is not allowed, of what the request does in words."""
    rehearsal: bool = False
    """True in a dry run: nothing that may change something is sent."""
    approved: bool = False
    begin: Callable[[], None] = lambda: None
    """Called before the first change is sent; may refuse it."""
    losses: list[str] = field(default_factory=list)
    """What the call destroys, in words."""
    effect: Effect = Effect.READ
    """The strongest effect that was met."""
    sent: int = 0
    """Changes that were sent."""
    done: list[str] = field(default_factory=list)
    """Objects whose change the backend has answered, in words, as far as the door tells them."""
    refused: bool = False
    """True when a request was held back because nobody said yes."""
    guard: Guard | None = None
    made: set[str] = field(default_factory=set)
    """What this call itself has made, by its address: to remove that again loses nothing."""

    def note(self, verdict: Verdict) -> None:
        if self.guard is not None and verdict.effect is not Effect.READ:
            self.guard.settle(verdict.effect)
        self.effect = strongest((self.effect, verdict.effect))
        if verdict.effect is Effect.DESTROY:
            self.losses += [reason for reason in verdict.reasons if reason not in self.losses]

    def told(self) -> list[str]:
        """The losses as a plan shows them, not more than a person can read."""
        more = len(self.losses) - MOST_REASONS
        return [*self.losses[:MOST_REASONS], *([f"and {more} more of this kind"] if more > 0 else [])]

    def so_far(self) -> str:
        """What has been changed, for a call that ends before its time; empty where nothing was sent."""
        if not self.sent:
            return ""
        more = len(self.done) - _MOST_DONE
        named = [*self.done[:_MOST_DONE], *([f"and {more} more"] if more > 0 else [])]
        told = f"; answered were those of {', '.join(named)}" if named else ""
        return f"{counted(self.sent, 'change')} had been sent{told}"

    def admit(self, verdict: Verdict) -> None:
        if verdict.effect is Effect.READ:
            return
        reason = "; ".join(verdict.reasons[:3]) or "it changes something"
        if verdict.effect not in self.allowed:
            raise self.refusal(reason)
        self.note(verdict)
        if verdict.effect is Effect.DESTROY and (self.rehearsal or not self.approved):
            self.refused = True
            raise NeedsApproval(reason)
        if self.rehearsal:
            raise conflict(f"a dry run does not do this, since it may change something: {reason}", "leave out dry_run")
        if not self.sent:
            self.begin()
        self.sent += 1


_current: ContextVar[Judgement | None] = ContextVar("judgement_of_the_call", default=None)


@contextmanager
def under(judgement: Judgement) -> Iterator[Judgement]:
    """Judge everything that runs inside by this."""
    token = _current.set(judgement)
    try:
        yield judgement
    finally:
        _current.reset(token)


def current() -> Judgement | None:
    """The judgement of the call that is under way; None outside of one."""
    return _current.get()


def allow(verdict: Verdict) -> None:
    """To be called before a request leaves. Errors: `NeedsApproval`, and the refusal of who may only read."""
    judgement = _current.get()
    if judgement is not None:
        judgement.admit(verdict)


def foresee(verdict: Verdict) -> None:
    """Note what a request would do that a dry run has shown or leaves out. The request itself is judged once more."""
    judgement = _current.get()
    if judgement is not None:
        judgement.note(verdict)


def is_guarded() -> bool:
    """Whether a policy wants to hear what the call that is under way reaches."""
    judgement = _current.get()
    return judgement is not None and judgement.guard is not None


def reach(resource: Resource, *effects: Effect) -> None:
    """To be called before a request leaves for an object that the door knows: by its effect, or those that it may have.

    Errors: `denied`, where a policy does not allow it.
    """
    judgement = _current.get()
    if judgement is not None and judgement.guard is not None:
        judgement.guard.reach(resource, effects)
