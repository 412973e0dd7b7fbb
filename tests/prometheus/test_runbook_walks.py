"""The runbooks of the Prometheus server are followed to planted faults: a target that is down, a shop that fails."""

import time
from collections.abc import Iterator

import pytest

from tests.mcp import ToolCaller
from tests.prometheus import program
from tests.prometheus.conftest import Binaries, connect
from tests.runbooks.walking import Walk

MINUTES = 180
BROKEN = 160
"""The minute from which one instance answers with errors."""


async def test_alert_firing(scraped: ToolCaller) -> None:
    walk = Walk("alert-firing", scraped, alert="TargetDown")
    assert "job: dead" in await walk.step(1, "firing", "value")
    await walk.step(2, "counts")
    await walk.step(3, "first", "last", "min", "max", expression="up")
    assert "connection refused" in await walk.step(4, "last_error")
    walk.end()


async def test_target_down(scraped: ToolCaller) -> None:
    walk = Walk("target-down", scraped, job="dead")
    assert "dead" in await walk.step(1, "connection refused", "last_error")
    await walk.step(2, "value")
    await walk.step(3, "min", "max")
    assert "127.0.0.1:1" in await walk.step(4)
    walk.end()


@pytest.fixture(scope="module")
def failing(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus with the requests of a shop, of which one instance has begun to fail."""
    folder = tmp_path_factory.mktemp("failing")
    program.backfill(binaries, folder, _requests(int(time.time()) - MINUTES * 60))
    with program.running(binaries, folder, program.EMPTY) as url:
        yield url


def _requests(begin: int) -> Iterator[str]:
    yield "# TYPE http_requests counter"
    for instance, errors in (("a", 0), ("b", 120)):
        for code in ("200", "500"):
            for minute in range(MINUTES + 1):
                count = minute * 600 if code == "200" else max(0, minute - BROKEN) * errors
                labels = f'job="shop",instance="{instance}",code="{code}"'
                yield f"http_requests_total{{{labels}}} {count} {begin + minute * 60}"
    yield "# EOF"


async def test_high_error_rate(failing: str) -> None:
    async with connect(prometheus_url=failing) as tools:
        walk = Walk("high-error-rate", tools, job="shop", metric="http_requests_total", label="code")
        assert '"code":"500"' in await walk.step(1, "value")
        await walk.step(2, "avg", "last", "max", "first")
        told = await walk.step(3, "instance")
        assert '{"instance":"b"}' in told
        await walk.step(4)
        walk.end()


async def test_high_error_rate_of_a_misspelt_counter(failing: str) -> None:
    async with connect(prometheus_url=failing) as tools:
        walk = Walk("high-error-rate", tools, job="shop", metric="http_request_total", label="code")
        assert "http_requests_total" in await walk.step(1, "There is no metric")
