"""Waiting for a condition with a deadline, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")


async def until(
    look: Callable[[], Awaitable[Value]],
    holds: Callable[[Value], bool] = bool,
    seconds: float = 60,
    what: str = "condition",
    pause: float = 0.1,
) -> Value:
    """Look again and again until what is seen holds; fail with the last sight at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not hold within {seconds} s; last seen: {seen!r}")
        await asyncio.sleep(pause)


async def listening(host: str, port: int) -> None:
    """Wait until connections are taken there: a node forwards to a Service's pods a moment after they are ready."""

    async def connects() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    await until(connects, seconds=60, what=f"a listener at {host}:{port}")
