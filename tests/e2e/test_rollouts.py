"""A new image is rolled out while clients call: no call is lost to a client that tries a second time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from fastmcp import Client

from tests.e2e.release import IMAGE, PATIENCE, Release
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]
LONGEST = 30.0
"""Seconds for one call: what takes longer hangs."""


@dataclass
class Caller:
    """Calls the same tool one time after the other, by one session or by a new one for each call."""

    url: str
    mode: Literal["auto", "legacy"]
    keeps_session: bool
    done: int = 0
    retried: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with Client(self.url, mode=self.mode) as client:
                while not stop.is_set():
                    await self._call(lambda: _call(client))
                    await asyncio.sleep(0.02)
                    if not self.keeps_session:
                        break

    async def _call(self, call: Callable[[], Awaitable[None]]) -> None:
        for failures in (self.retried, self.lost):
            try:
                async with asyncio.timeout(LONGEST):
                    await call()
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")
            else:
                self.done += 1
                return


async def _call(client: Client[Any]) -> None:
    result = await client.call_tool("k8s_get_cluster_configuration")
    assert not result.is_error


async def test_a_rollout_loses_no_call(release: Release) -> None:
    await release.server("rolling", _spec(IMAGE))
    await release.condition("rolling", "Ready", "True")
    url = await release.url("rolling")
    callers = [Caller(url, mode, keeps) for mode in ("auto", "legacy") for keeps in (True, False)]
    stop = asyncio.Event()
    calling = [asyncio.create_task(caller.run(stop)) for caller in callers]
    try:
        await until(lambda: _counted(callers), lambda counts: min(counts) > 5, PATIENCE, "calls before the rollout")
        before = {pod["metadata"]["name"] for pod in await release.pods("rolling")}
        await release.server("rolling", _spec(release.tagged_anew(IMAGE)))
        await until(
            lambda: _names(release), lambda names: bool(names) and not names & before, PATIENCE, "new pods only"
        )
        await release.condition("rolling", "Ready", "True")
        seen = await _counted(callers)
        await until(lambda: _counted(callers), lambda now: _grown(seen, now), PATIENCE, "calls after the rollout")
    finally:
        stop.set()
        await asyncio.gather(*calling, return_exceptions=True)
    print([(each.mode, each.keeps_session, each.done, each.retried) for each in callers])
    assert [each.lost for each in callers] == [[], [], [], []]
    assert [task.exception() for task in calling] == [None] * 4


def _spec(image: str) -> dict[str, Any]:
    arguments = ["--host", "0.0.0.0", "--port", "8083", "--allow-unauthenticated"]
    return {
        "transportType": "http",
        "deployment": {"image": image, "port": 8083, "args": arguments, "replicas": 2},
    }


async def _counted(callers: list[Caller]) -> list[int]:
    return [each.done for each in callers]


def _grown(before: list[int], now: list[int]) -> bool:
    return all(later > earlier + 5 for earlier, later in zip(before, now, strict=True))


async def _names(release: Release) -> set[str]:
    return {pod["metadata"]["name"] for pod in await release.pods("rolling")}
