"""Work that takes more than a few milliseconds, off the event loop: health and other calls are answered meanwhile."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from anyio import to_thread

from kmcp_runtime import json_text

P = ParamSpec("P")
T = TypeVar("T")
_LARGE_BYTES = 32 * 1024
"""What is smaller is read in less time than it takes to hand it to a thread."""


async def run_in_thread(function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
    """The function's result; a deadline of the caller ends the waiting, though not the thread.

    The interpreter switches threads between bytecodes only, so what the function does in one step (a pattern, a
    parser's call) must itself be bounded.
    """
    return await to_thread.run_sync(partial(function, *arguments, **named), abandon_on_cancel=True)


async def read_json(content: bytes) -> Any:
    """As `json_text.read`, in a thread when the text is large."""
    return json_text.read(content) if len(content) < _LARGE_BYTES else await run_in_thread(json_text.read, content)


def is_large(node: Any) -> bool:
    """Whether a caller's value may take long to check: a long text, or any list or object."""
    return len(node) > _LARGE_BYTES if isinstance(node, str) else isinstance(node, dict | list) and bool(node)
