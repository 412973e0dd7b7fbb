"""The call that a tool answers, as the code below the tool sees it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    steps: int = 0

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Report to the client how far the call is; does nothing when the client did not ask for progress."""
        if self.report is not None:
            await self.report(done, total, message)

    async def step(self, message: str) -> None:
        """Report one more step of work whose number of steps nobody knows."""
        self.steps += 1
        await self.progress(self.steps, None, message)
