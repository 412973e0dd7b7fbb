"""Regular expressions that callers give: matched in linear time (RE2), so that none can hold a server up.

RE2 has no look-around and no back-references; everything else is as in Python. Linear is not yet short: what an
expression compiles to, what all of one call compile to, and how long they search are bounded. A compiler's run blocks
the event loop, so the bounds keep it short; a search does not, in a thread.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

import re2

from kmcp_runtime.errors import ToolFailure, bad_argument
from kmcp_runtime.worker import run_in_thread

LONGEST = 200
MEMORY = 64 << 10
"""Bytes that RE2 may use for one expression: some 5,000 instructions, which compile in 10 ms at most."""
_INSTRUCTIONS_OF_A_REFUSAL = 5_000
MOST_INSTRUCTIONS = 60_000
"""Of all expressions of one call: they compile in 0.2 s at most."""
MOST_STEPS = 300_000_000
"""Of one search, which is one step of the library: characters times instructions, some 3 s at worst."""
SEARCH_SECONDS = 5.0
"""Processor time that all searches of one call may take."""
_TOO_LARGE = "pattern too large"
_SIMPLER = "write fewer and smaller repetitions, such as x* for x{0,1000}"
T = TypeVar("T")


class TooComplex(ToolFailure):
    """`bad_argument`: the expression may be a right one, and would take too long here."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_argument", message, _SIMPLER)


@dataclass
class _Spent:
    """What the expressions of one call have taken."""

    instructions: int = 0
    seconds: float = 0.0
    compiled: dict[str, "re2._Regexp[str]"] = field(default_factory=dict)


_spent: ContextVar[_Spent | None] = ContextVar("spent_on_patterns", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """Bound what all expressions inside take together: a call."""
    token = _spent.set(_Spent())
    try:
        yield
    finally:
        _spent.reset(token)


class Pattern:
    """A compiled expression."""

    def __init__(self, compiled: "re2._Regexp[str]", argument: str) -> None:
        self._compiled, self._size, self._argument = compiled, compiled.programsize, argument
        self._spent = _spent.get() or _Spent()

    def found_in(self, text: str) -> bool:
        """Whether it is somewhere in the text; `bad_argument` where that would take too long."""
        if len(text) * self._size > MOST_STEPS:
            raise TooComplex(f"{self._argument}: too complex for a text of {len(text)} characters")
        if self._spent.seconds > SEARCH_SECONDS:
            raise TooComplex(f"{self._argument}: the search takes more than {SEARCH_SECONDS:.0f} s")
        began = time.thread_time()
        try:
            return self._compiled.search(text) is not None
        finally:
            self._spent.seconds += time.thread_time() - began

    async def kept(self, items: Sequence[T], text: Callable[[T], str | None]) -> list[T]:
        """The items whose text has it, and those without a text; searched in a thread."""
        return await run_in_thread(self._kept, items, text)

    def _kept(self, items: Sequence[T], text: Callable[[T], str | None]) -> list[T]:
        return [item for item in items if (found := text(item)) is None or self.found_in(found)]


def pattern(expression: str, argument: str, longest: int = LONGEST) -> Pattern:
    """The expression of an argument; `bad_argument` says what is wrong with it, `TooComplex` that it is too large."""
    if len(expression) > longest:
        raise bad_argument(f"{argument}: longer than {longest} characters", "search for a shorter part")
    spent = _spent.get() or _Spent()
    if expression not in spent.compiled:
        if spent.instructions >= MOST_INSTRUCTIONS:
            raise TooComplex(f"{argument}: the regular expressions of this call are too large together")
        spent.compiled[expression] = _compiled(expression, argument, spent)
    return Pattern(spent.compiled[expression], argument)


def _compiled(expression: str, argument: str, spent: _Spent) -> "re2._Regexp[str]":
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        compiled = re2.compile(expression, options)
    except re2.error as error:
        spent.instructions += _INSTRUCTIONS_OF_A_REFUSAL
        told = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        if told.startswith(_TOO_LARGE):
            raise TooComplex(f"{argument}: the regular expression is too large when its repetitions count") from None
        raise bad_argument(
            f"{argument}: not a valid regular expression: {told}",
            r"escape characters that are meant literally: \( \[ \*; look-around and back-references are not supported",
        ) from None
    spent.instructions += compiled.programsize
    return compiled
