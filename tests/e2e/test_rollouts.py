"""A new image is rolled out while clients call: no call is lost to a client that tries a second time."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from fastmcp import Client

from tests.e2e.release import IMAGE, PATIENCE, Release
from tests.slowness import scaled
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]
LONGEST = 30.0
"""Seconds for one call: what takes longer hangs."""


@dataclass
class Caller:
    """Calls the same tool one time after the other, with one session or with a new one for each call.

    A call that fails is made once more, with a new session: a client of this library is at its end after a failure.
    """

    url: str
    mode: Literal["auto", "legacy"]
    keeps_session: bool
    done: int = 0
    retried: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        failures = self.retried
        while not stop.is_set():
            try:
                async with Client(self.url, mode=self.mode) as client:
                    while not stop.is_set():
                        async with asyncio.timeout(scaled(LONGEST)):
                            await _called(client)
                        self.done, failures = self.done + 1, self.retried
                        await asyncio.sleep(0.02)
                        if not self.keeps_session:
                            break
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")
                failures = self.lost


async def _called(client: Client[Any]) -> None:
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
        ended = await asyncio.gather(*calling, return_exceptions=True)
        print(*callers, sep="\n")
    assert ended == [None] * 4
    assert [each.lost for each in callers] == [[], [], [], []]
    refused = [text for each in callers for text in each.retried if "attempts failed" in text]
    assert not refused, "a pod that had ended was still sent clients"


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
