"""By what a call came where it was not made by its tool's own name: the audit line says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_VIA: ContextVar[str | None] = ContextVar("via", default=None)


def current() -> str | None:
    """The tool that passed this call on; None for a call by name."""
    return _VIA.get()


@contextmanager
def coming_by(tool: str) -> Iterator[None]:
    token = _VIA.set(tool)
    try:
        yield
    finally:
        _VIA.reset(token)
