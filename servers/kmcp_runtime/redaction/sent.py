"""What the caller of this call sent himself: shown as sent, whether or not it is a known secret.

Were it hidden, an answer would tell right guesses from wrong ones: of a thousand names in a plan, the one that is
hidden is a Secret's value. The caller knows what he sent; places and shapes of secrets are hidden all the same.

A call that only reads answers with what others wrote, and repeats little. There a value is shown only where the caller
sent it as whole words, and not among many of its shape: a person sends one or a few, more are guesses, and one of
them would uncover what an object repeats of a Secret.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from kmcp_runtime.echoes import texts

MOST_OF_A_SHAPE = 20
"""Different words of one shape that a person sends in one call; of more, none is shown for being sent."""
_MOST_CHARACTERS = 128 << 10
"""Of all that is searched for words. Who sends more to read something sends guesses."""
_LONGEST_GUESS = 256
"""Characters; nobody finds a longer value by trying."""
_RUN = re.compile(r"[^\W_]+|[\W_]+")
_EDGE_BEFORE, _EDGE_BEHIND = r"(?<![^\W_])", r"(?![^\W_])"


class _Sent:
    """The arguments of one call as one text, put together when it is first asked for."""

    def __init__(self, arguments: Any, in_words: Collection[str]) -> None:
        self._arguments = arguments
        self._in_words = in_words
        self._texts: tuple[str, str] | None = None
        self._asked: dict[tuple[str, bool], bool] = {}
        """A log may repeat one value ten thousand times, and the arguments may be megabytes."""
        self._few: dict[str, bool] = {}
        """By the shape of words."""
        self._withheld: set[str] = set()

    def withhold(self, value: str) -> None:
        self._withheld.add(value)
        self._asked.clear()

    def holds(self, part: str, anywhere: bool) -> bool:
        asked = (part, anywhere)
        if asked not in self._asked:
            said_secret = any(part in value or value in part for value in self._withheld)
            self._asked[asked] = not said_secret and (
                self._found(part, anywhere) or ("%" in part and self._found(unquote(part), anywhere))
            )
        return self._asked[asked]

    def _found(self, part: str, anywhere: bool) -> bool:
        if self._texts is None:
            self._texts = self._joined()
        free, words = self._texts
        return part in free or (part in words and (anywhere or self._is_one_of_few(part, words)))

    def _is_one_of_few(self, part: str, text: str) -> bool:
        """Whether the part stands in the text as whole words, among few that look like it."""
        if len(text) > _MOST_CHARACTERS or not _stands_in_words(part, text):
            return False
        if len(part) > _LONGEST_GUESS:
            return True
        shape = _shape(part)
        if shape not in self._few:
            self._few[shape] = _are_few(shape, text)
        return self._few[shape]

    def _joined(self) -> tuple[str, str]:
        if not isinstance(self._arguments, Mapping):
            return "\0".join(texts(self._arguments)), ""
        free = {name: item for name, item in self._arguments.items() if name not in self._in_words}
        others = {name: item for name, item in self._arguments.items() if name in self._in_words}
        return "\0".join(texts(free)), "\0".join(texts(others))


def _stands_in_words(part: str, text: str) -> bool:
    return re.search(_EDGE_BEFORE + re.escape(part) + _EDGE_BEHIND, text) is not None


def _are_few(shape: str, text: str) -> bool:
    """Whether a text holds few different words of a shape."""
    found: set[str] = set()
    # With a lookahead, since words of a phrase may be parts of several.
    for match in re.finditer(f"{_EDGE_BEFORE}(?=({shape}){_EDGE_BEHIND})", text):
        found.add(match[1])
        if len(found) > MOST_OF_A_SHAPE:
            return False
    return True


def _shape(part: str) -> str:
    """An expression for what is as long, run by run of letters and digits."""
    runs = [(len(run), r"[^\W_]" if run[0].isalnum() else r"[\W_]") for run in _RUN.findall(part)]
    return "".join(f"{kind}{{{length}}}" for length, kind in runs)


_sent: ContextVar[_Sent | None] = ContextVar("sent_by_the_caller", default=None)
_repeats: ContextVar[bool] = ContextVar("an_error_repeats", default=False)


@contextmanager
def echoing(arguments: Any, in_words: Collection[str] = ()) -> Iterator[None]:
    """Show meanwhile what these arguments hold; None for a text that others than the caller read (a log).

    `in_words`: arguments of which only whole words count, and only a few of one shape.
    """
    token = _sent.set(None if arguments is None else _Sent(arguments, in_words))
    try:
        yield
    finally:
        _sent.reset(token)


@contextmanager
def repeating() -> Iterator[None]:
    """Show meanwhile whatever the caller sent: for words of an error, which repeat short excerpts of it."""
    token = _repeats.set(True)
    try:
        yield
    finally:
        _repeats.reset(token)


def withhold(value: str) -> None:
    """Hide this value though the caller sent it: he sent it as a secret, right or not."""
    sent = _sent.get()
    if sent is not None and value:
        sent.withhold(value)


def was_sent(part: str) -> bool:
    """Whether the caller of this call sent this very text."""
    sent = _sent.get()
    return sent is not None and sent.holds(part, _repeats.get())
