"""Waiting for a condition with a deadline, instead of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.slowness import Deadline

Value = TypeVar("Value")


async def until(
    look: Callable[[], Awaitable[Value]],
    holds: Callable[[Value], bool] = bool,
    seconds: float = 60,
    what: str = "condition",
    pause: float = 0.1,
) -> Value:
    """Look again and again until what is seen holds; fail with the last sight at the deadline.

    `seconds` are those of a quiet machine (`tests.slowness`).
    """
    deadline = Deadline(seconds)
    while True:
        seen = await look()
        if holds(seen):
            return seen
        if deadline.passed():
            raise AssertionError(f"{what} did not hold within {seconds:g} s of a quiet machine; last seen: {seen!r}")
        await asyncio.sleep(pause)


async def wait_for_listener(host: str, port: int) -> None:
    """Wait until connections are taken there: a node forwards to a Service's pods a moment after they are ready."""

    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    # The first packets are refused or dropped until the rules of the node are written.
    await until(connects, seconds=60, what=f"a listener at {host}:{port}")
