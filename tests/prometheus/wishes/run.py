"""Every wish, asked of the server and judged: `python -m tests.prometheus.wishes` prints the figures."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.prometheus import exporter, program
from tests.prometheus.conftest import connect
from tests.prometheus.wishes import world
from tests.prometheus.wishes.judging import Judged, judge
from tests.slowness import Deadline, scaled

HALVES = ("tuned", "held_out")
_TEXT = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
TOOL = "prometheus_promql_tool"


@contextmanager
def serving(binaries: Mapping[str, Path], name: str) -> Iterator[str]:
    """A Prometheus with one set of metrics, once it has read their types."""
    with tempfile.TemporaryDirectory() as folder, exporter.exporting(world.exposition(name), _TEXT) as target:
        program.backfill(binaries, Path(folder), world.openmetrics(name))
        with program.running(binaries, Path(folder), world.configuration(target)) as url:
            _wait_for_types(url)
            yield url


def _wait_for_types(url: str) -> None:
    deadline = Deadline(60)
    while not httpx2.get(f"{url}/api/v1/metadata", timeout=scaled(10)).json()["data"]:
        assert not deadline.passed(), httpx2.get(f"{url}/api/v1/targets", timeout=scaled(10)).text
        time.sleep(0.1)


async def judged(url: str, name: str, half: str) -> list[Judged]:
    wishes: dict[str, Any] = world.read(name)[half]
    async with connect(prometheus_url=url) as caller:
        return [
            judge(url, wish, right, await caller.ok(TOOL, query_description=wish)) for wish, right in wishes.items()
        ]
