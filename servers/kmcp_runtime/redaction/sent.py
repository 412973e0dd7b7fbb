"""What the caller of this call sent himself: shown as sent, whether or not it is a known secret.

Were it hidden, an answer would tell right guesses from wrong ones: of a thousand names in a plan, the one that is
hidden is a Secret's value. The caller knows what he sent; places and shapes of secrets are hidden all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from kmcp_runtime.echoes import texts


class _Sent:
    """The arguments of one call as one text, put together when it is first asked for."""

    def __init__(self, arguments: Any) -> None:
        self._arguments = arguments
        self._text: str | None = None
        self._asked: dict[str, bool] = {}
        """A log may repeat one value ten thousand times, and the arguments may be megabytes."""
        self._withheld: set[str] = set()

    def withhold(self, value: str) -> None:
        self._withheld.add(value)
        self._asked.clear()

    def holds(self, part: str) -> bool:
        if self._text is None:
            self._text = "\0".join(texts(self._arguments))
        if part not in self._asked:
            said_secret = any(part in value or value in part for value in self._withheld)
            self._asked[part] = not said_secret and (part in self._text or unquote(part) in self._text)
        return self._asked[part]


_sent: ContextVar[_Sent | None] = ContextVar("sent_by_the_caller", default=None)


@contextmanager
def echoing(arguments: Any) -> Iterator[None]:
    """Show meanwhile what these arguments hold; None for a text that others than the caller read (a log)."""
    token = _sent.set(None if arguments is None else _Sent(arguments))
    try:
        yield
    finally:
        _sent.reset(token)


def withhold(value: str) -> None:
    """Hide this value though the caller sent it: he sent it as a secret, right or not."""
    sent = _sent.get()
    if sent is not None and value:
        sent.withhold(value)


def was_sent(part: str) -> bool:
    """Whether the caller of this call sent this very text."""
    sent = _sent.get()
    return sent is not None and sent.holds(part)
