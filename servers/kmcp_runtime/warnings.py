"""What a backend says beside its answer, gathered for the call that is under way: it becomes `warnings`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MOST = 10
_heard: ContextVar[list[str] | None] = ContextVar("kmcp_notices", default=None)


@contextmanager
def gathered() -> Iterator[list[str]]:
    """The notices of everything that runs inside, each once, in the order of their coming."""
    notices: list[str] = []
    token = _heard.set(notices)
    try:
        yield notices
    finally:
        _heard.reset(token)


def hear(notice: str) -> None:
    """Keep a notice for the call; without one under way (readiness, discovery in the background) it is dropped."""
    notices = _heard.get()
    if notices is not None and notice not in notices and len(notices) < MOST:
        notices.append(notice)
