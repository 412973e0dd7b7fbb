"""Hints that name a tool which the caller's server has: the runtime knows what is needed, not which tool does it.

A server declares what a tool is good for, `@tool(..., shows="rights")`; code below any tool asks for a hint by that
word. Where the server has no such tool, or it is switched off, there is no hint rather than one that leads nowhere.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Shows = Literal[
    "rights", "kinds", "objects", "object", "releases", "revisions", "charts", "repositories", "repository_updates"
]
SHOWS: frozenset[str] = frozenset(get_args(Shows))
# A context variable, since the doors where hints arise are called by many servers of one process, and by none.
_tools: ContextVar[Mapping[str, str]] = ContextVar("kmcp_tools_for_hints")


@contextmanager
def offering(tools: Mapping[str, str]) -> Iterator[None]:
    """For everything that runs inside: the tool of this server for each word."""
    token = _tools.set(tools)
    try:
        yield
    finally:
        _tools.reset(token)


def by_tool(shows: Shows, text: str) -> str | None:
    """`<the tool> <text>`, or None when the caller's server has no tool for it."""
    tool = _tools.get({}).get(shows)
    return f"{tool} {text}" if tool else None
