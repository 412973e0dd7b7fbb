"""Nobody stops a server: health is answered while hostile texts are redacted, rendered and cut to the budget."""

import asyncio
import logging
import time

import httpx2
import pytest

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine import health
from kmcp_runtime.engine.configured import Process
from kmcp_runtime.watchdog import Watchdog
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.serving import served
from tests.slowness import scaled
from tests.trust import Trust
from tests.waiting import until

HOSTILE = {
    "scheme": "a+" * 16_384 + "://",
    "words": "token-" * 10_000,
    "flags": "--" * 50_000 + "password",
    "line": "x" * 100_000,
    "lines": ("password=" + "y" * 90 + "\n") * 5_000,
    "json": '{"a":' * 20_000 + "}" * 20_000,
    "quotes": "'" * 50_000 + "token:" + '"' * 50_000,
    "blanks": "token" + " " * 100_000 + ":" + " " * 100_000,
    "yaml": "a: &a [x,x,x]\n" + "b: *a\n" * 10_000,
}


async def _longest_wait(url: str, done: asyncio.Event) -> float:
    """Seconds that `/healthz` took at most while the event was not set."""
    longest = 0.0
    async with httpx2.AsyncClient(timeout=120) as http:
        while not done.is_set():
            began = time.monotonic()
            assert (await http.get(f"{url}/healthz")).status_code == 200
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0)
    return longest


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_s1_health_is_answered_while_a_hostile_text_is(text: str, trust: Trust) -> None:
    process = Process.of(RuntimeSettings())
    instance = shelved(process)
    watchdog = process.metrics.watchdog
    async with connected(instance) as caller, served(health.app([instance], lambda: True), lifespan="off") as url:
        shelf_of(instance).books["hostile"] = text
        done = asyncio.Event()
        waits = asyncio.create_task(_longest_wait(url, done))
        async with watchdog.watching():
            began = time.monotonic()
            await caller.ok("shelf_read", name="hostile")
            took = time.monotonic() - began
            done.set()
        wait = await waits
        trust.count("stalls", "hostile texts", inputs=1, longest_wait_for_healthz_in_s=wait)
        assert wait < scaled(0.5)
        assert watchdog.longest < scaled(0.5)
        assert took < scaled(3.0)


async def test_s1_a_list_of_twenty_thousand_elements() -> None:
    process = Process.of(RuntimeSettings())
    instance = shelved(process)
    async with connected(instance) as caller, served(health.app([instance], lambda: True), lifespan="off") as url:
        shelf_of(instance).books.update({f"book-{number}": "token: abcdefgh12345678" for number in range(20_000)})
        done = asyncio.Event()
        waits = asyncio.create_task(_longest_wait(url, done))
        await caller.ok("shelf_list", limit=500)
        done.set()
        assert await waits < scaled(0.5)


async def test_the_watchdog_names_the_tool_and_measures(caplog: pytest.LogCaptureFixture) -> None:
    process = Process.of(RuntimeSettings())
    metrics = process.metrics
    caplog.set_level(logging.WARNING, "kmcp.watchdog")
    async with metrics.watchdog.watching():
        await asyncio.sleep(0)
        with metrics.under_way("shelf", "shelf_read"):
            time.sleep(0.6)  # noqa: ASYNC251  # holds the loop up, which is what the watchdog is to see
        await until(lambda: _text(caplog), lambda text: "shelf_read" in text, what="the line in the log")
    assert metrics.watchdog.longest >= 0.4
    exposed = metrics.exposition().decode()
    assert "kmcp_event_loop_stalls_total 1.0" in exposed
    assert "kmcp_event_loop_stall_seconds 0." in exposed
    assert isinstance(metrics.watchdog, Watchdog)


async def _text(caplog: pytest.LogCaptureFixture) -> str:
    return caplog.text
