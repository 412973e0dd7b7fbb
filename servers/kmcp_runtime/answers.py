"""Answers of backends that a call has read: when reading fails, was one of them not what its API promises?

A tool reads an answer as its API documents it, without asking at each field whether it is there. A backend that breaks
its promise (another program at the address, a proxy, a custom resource without a schema) is then told by what it did;
and only where every answer keeps its promise is a failed reading a fault of ours.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kmcp_runtime.errors import ToolFailure, unavailable

Check = Callable[[Any, Exception], str | None]
"""What an answer breaks of its API's promise, in words, given what reading it raised; None when it keeps it."""
UNREADABLE = (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError)
"""What Python raises where data has another shape than the code that reads it."""
MOST_BYTES = 8 << 20
"""Of the answers that one call remembers, as they came; what was read before them is forgotten."""


class _Heard:
    """The newest answers of one call."""

    def __init__(self) -> None:
        self.answers: deque[tuple[str, str, Any, Check, int]] = deque()
        self._bytes = 0

    def add(self, backend: str, place: str, answer: Any, check: Check, size: int) -> None:
        self.answers.append((backend, place, answer, check, size))
        self._bytes += size
        # The newest one stays, however large: its reader holds it, too.
        while self._bytes > MOST_BYTES and len(self.answers) > 1:
            self._bytes -= self.answers.popleft()[-1]


_heard: ContextVar[_Heard | None] = ContextVar("kmcp_answers", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """The newest answers that are read inside are remembered until the end, so that `broken_promise` can look at them.

    A list that is read page by page is thus not held as a whole: what broke a promise was mostly read last.
    """
    token = _heard.set(_Heard())
    try:
        yield
    finally:
        _heard.reset(token)


def remember(backend: str, place: str, answer: Any, check: Check, size: int) -> None:
    """Note an answer, which took `size` bytes; it is checked only when something goes wrong, and no copy is made."""
    heard = _heard.get()
    if heard is not None:
        heard.add(backend, place, answer, check, size)


def broken_promise(error: Exception) -> ToolFailure | None:
    """The failure that says which answer is not what its API promises; None when all are."""
    heard = _heard.get()
    # A copy: other readings of the same call may still add to them.
    for backend, place, answer, check, _ in tuple(heard.answers) if heard is not None else ():
        fault = check(answer, error)
        if fault:
            message = f"the answer of {backend} to {place} is not what its API promises: {fault}"
            return unavailable(message, f"check that the address is one of {backend}, and its version", backend=backend)
    return None


def misshapen(node: Any, fields: "Fields", path: str = "") -> str | None:
    """The first field, by its name, that has another type than the table says or lacks what it must have."""
    waiting: list[tuple[str, str, Any]] = [("", path, node)]
    while waiting:
        name, at, found = waiting.pop()
        fault = fields.fault(name, found)
        if fault:
            return f"{at or 'it'} {fault}"
        if name in fields.opaque:
            continue
        if isinstance(found, dict):
            waiting += [(key, f"{at}.{key}" if at else str(key), item) for key, item in found.items()]
        elif isinstance(found, list):
            waiting += [("", f"{at}[{number}]", item) for number, item in enumerate(found)]
    return None


def lacks(answer: Any, error: Exception) -> str | None:
    """Whether the answer, or an object in its list, is without the field that was asked for."""
    if not isinstance(error, KeyError) or not isinstance(error.args[0], str):
        return None
    parts = answer if isinstance(answer, list) else [answer]
    missing = any(isinstance(part, dict) and error.args[0] not in part for part in parts)
    return f"an object has no {error.args[0]}" if missing else None


class Fields:
    """What an API promises of fields by their names, wherever they stand; a field that is not named may be anything.

    `lists` are of objects, `either` are lists or objects, `opaque` holds names of
    its own, and `needed` is what each object of a list must have.
    """

    def __init__(
        self,
        *,
        objects: str = "",
        lists: str = "",
        texts: str = "",
        numbers: str = "",
        either: str = "",
        opaque: str = "",
        needed: dict[str, str] | None = None,
    ) -> None:
        self._types: dict[str, tuple[type, ...]] = {
            **dict.fromkeys(objects.split(), (dict,)),
            **dict.fromkeys(lists.split(), (list,)),
            **dict.fromkeys(texts.split(), (str,)),
            **dict.fromkeys(numbers.split(), (int, float)),
            **dict.fromkeys(either.split(), (list, dict)),
        }
        self.opaque = frozenset(opaque.split())
        self._of_objects = frozenset(lists.split())
        self._needed = {name: fields.split() for name, fields in (needed or {}).items()}

    def fault(self, name: str, found: Any) -> str | None:
        wanted = self._types.get(name)
        # A field that is null counts as left out, which every API here allows.
        if wanted and found is not None and not isinstance(found, wanted):
            return f"is {_NAMES.get(type(found), 'something')} and not {_NAMES[wanted[0]]}"
        if name in self._of_objects and any(not isinstance(each, dict) for each in found or ()):
            return "holds something other than objects"
        parts = found if isinstance(found, list) else []
        for needed in self._needed.get(name, ()):
            if any(each.get(needed) is None for each in parts if isinstance(each, dict)):
                return f"lacks {needed}"
        return None


_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", bool: "a truth value"}
