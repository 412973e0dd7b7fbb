"""The call that a tool answers, as the code below the tool sees it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kmcp_runtime.identities import Identity

Report = Callable[[float, float | None, str], Awaitable[None]]
"""Sends how far a call is to its client: steps done, steps in all when known, and a message."""


@dataclass
class Call:
    """One call: who asked for what, until when. A tool that wants it has a parameter of this type."""

    id: str
    tool: str
    caller: str
    arguments: Mapping[str, Any]
    """Every validated argument, those that the server adds (`context`) included."""
    deadline: float
    """Seconds that the whole call may take."""
    report: Report | None = None
    """None when no client follows the call: outside of a request, or in a test."""
    given: frozenset[str] = frozenset()
    """Arguments whose value is not their default."""
    read_only: bool = False
    """True when this server must not change anything."""
    identity: Identity | None = None
    """As whom it reaches the backend; None as the server itself."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """The arguments as the caller wrote them."""
    steps: int = 0
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What is let go when the call has ended."""

    @property
    def bound_to(self) -> str:
        """Who alone may use an approval of this call: the caller, as whoever he acts as."""
        return self.caller if self.identity is None else f"{self.caller} {self.identity.key}"

    def ended(self) -> None:
        """Let go of what was used for it."""
        while self.at_end:
            self.at_end.pop()()

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Report to the client how far the call is; does nothing when the client did not ask for progress."""
        if self.report is not None:
            await self.report(done, total, message)

    async def step(self, message: str) -> None:
        """Report one more step of work whose number of steps nobody knows."""
        self.steps += 1
        await self.progress(self.steps, None, message)
