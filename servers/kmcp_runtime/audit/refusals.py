"""Requests that are turned away: one line for each at first, then how many more there were.

Whoever floods a server with forged tokens must not fill its disk: in each window every kind of refusal from one address
has a few lines, and the rest of it one line with the number. Metrics count all of them.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

from kmcp_runtime.audit.record import Entry, Refused
from kmcp_runtime.audit.trail import Trail

Reason = Literal[
    "no_token",
    "unknown_token",
    "malformed_token",
    "wrong_issuer",
    "wrong_audience",
    "expired",
    "bad_signature",
    "bad_claims",
    "not_confirmed",
    "not_reviewed",
    "host",
    "origin",
    "scope",
    "malformed",
    "rate_limited",
    "denied",
]
ABOUT: dict[Reason, str] = {
    "no_token": "No bearer token came with it",
    "unknown_token": "No verifier knows the token",
    "malformed_token": "The token is too long, or holds characters that no token has",
    "wrong_issuer": "The token is of another issuer",
    "wrong_audience": "The token is for another audience",
    "expired": "The token has ended, has no end, or is not valid yet",
    "bad_signature": "No key of the issuer confirms the signature, or its algorithm is not accepted",
    "bad_claims": "A claim of the token cannot be read",
    "not_confirmed": "The API server does not confirm the token",
    "not_reviewed": "The API server could not be asked about the token",
    "host": "The header Host is not allowed",
    "origin": "The header Origin is not allowed",
    "scope": "The scopes of the token do not allow the request",
    "malformed": "The request is not HTTP or JSON-RPC as the protocol has it",
    "rate_limited": "The caller has sent too many",
    "denied": "A call that the caller may not make, or that nobody approved; it has a line of its own (`call`)",
}
WINDOW_SECONDS = 10
LINES = 3
"""Of one kind, in a window."""
KINDS = 20
"""Kinds that are told apart in a window; what comes after them is one more kind for each reason."""
_CALLS: dict[str, Reason] = {"denied": "denied", "rate_limited": "rate_limited"}


@dataclass
class Why:
    """The reason of the request under way, if whoever knows it says so."""

    reason: Reason | None = None


_why: ContextVar[Why | None] = ContextVar("why_the_request_is_refused", default=None)


def watching() -> Why:
    """What `because` says from here on is found in the answer."""
    why = Why()
    _why.set(why)
    return why


def because(reason: Reason) -> None:
    """Say why the request under way is about to be refused; the last of several that refuse it is told."""
    why = _why.get()
    if why is not None:
        why.reason = reason


class Refusals:
    """Writes what was turned away to the trail."""

    def __init__(self, trail: Trail, later: Callable[[float, Callable[[], None]], object] | None = None) -> None:
        """`later(seconds, function)` calls the function then; by default the event loop does."""
        self.trail = trail
        self._later = later or (lambda seconds, function: asyncio.get_running_loop().call_later(seconds, function))
        self._seen: dict[tuple[str, ...], tuple[Refused, int]] = {}

    def request(self, refused: Refused) -> None:
        """A request that was answered with an error before any tool was looked at."""
        self.trail.metrics.refused.labels(refused.reason).inc()
        if self._has_room(refused, (refused.reason, refused.peer)):
            self.trail.write(refused)

    def call(self, entry: Entry) -> None:
        """A call that has ended: its line, unless it is one of a flood that is refused."""
        reason = _CALLS.get(entry.outcome)
        if reason is None:
            self.trail.write(entry)
            return
        self.trail.metrics.refused.labels(reason).inc()
        about = Refused(reason=reason, caller=entry.caller, tool=entry.tool)
        if self._has_room(about, (reason, entry.caller, entry.tool)):
            self.trail.write(entry)

    def flush(self) -> None:
        """Tell what was only counted, and begin a new window."""
        seen, self._seen = self._seen, {}
        for refused, count in seen.values():
            if count > LINES:
                self.trail.write(replace(refused, more=count - LINES, seconds=WINDOW_SECONDS))

    def close(self) -> None:
        """At the end of the process, when nothing is under way any more."""
        self.flush()
        self.trail.close()

    def _has_room(self, refused: Refused, kind: tuple[str, ...]) -> bool:
        if not self._seen:
            self._later(WINDOW_SECONDS, self.flush)
        if kind not in self._seen and len(self._seen) >= KINDS:
            kind, refused = (refused.reason,), Refused(reason=refused.reason)
        about, count = self._seen.get(kind, (refused, 0))
        self._seen[kind] = about, count + 1
        return count < LINES
