"""`kmcp-suite top`: of a suite that runs, dies and comes back, of addresses, and of nothing."""

import asyncio
import io
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from rich.console import Console
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from kmcp_controller.cli.top_sources import address_of
from kmcp_controller.cli.top_table import table
from kmcp_controller.telemetry.readings import Figures, Reading, Row, growth, quantile, reading_of
from tests.controller.clock_suite import clock_suite, environment, server_of
from tests.controller.test_local import Up
from tests.installed import SUITE
from tests.ports import free_ports
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """`up` with one server of the suite that needs no backend."""
    with clock_suite(tmp_path_factory.mktemp("top")) as up:
        await up.settled()
        yield up


async def call(up: Up, *zones: str) -> None:
    async with Client(f"http://127.0.0.1:{up.ports[0]}/mcp") as client:
        for zone in zones:
            await client.call_tool("datetime_get_current_time", {"timezone": zone}, raise_on_error=False)


def top(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    argv = [SUITE, "top", *flags]
    return subprocess.run(
        argv, env=environment(folder), capture_output=True, text=True, timeout=scaled(60), check=False
    )


async def once(up: Up, *flags: str) -> dict[str, Any]:
    done = await asyncio.to_thread(top, up.folder, "--once", "--json", *flags)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_running_suite_shows_calls_errors_and_latency(suite: Up) -> None:
    before = {row["tool"]: row for row in (await once(suite))["tools"]}
    await call(suite, "UTC", "Nowhere/Here", "Europe/Berlin")
    found = await once(suite)
    assert found["faults"] == {}
    assert found["windowSeconds"] is None
    (row,) = [each for each in found["tools"] if each["tool"] == "datetime_get_current_time"]
    earlier = before.get("datetime_get_current_time", {"calls": 0, "errors": 0})
    assert row["server"] == "clock"
    assert (row["calls"], row["errors"]) == (earlier["calls"] + 3, earlier["errors"] + 1)
    assert sum(row["errorCodes"].values()) == row["errors"]
    assert 0 < row["p50Seconds"] <= row["p95Seconds"] < scaled(10)
    assert row["callsPerSecond"] is None
    assert (await once(suite, "--server", "helm"))["tools"] == []
    table = await asyncio.to_thread(top, suite.folder)  # no terminal: one table
    head, *lines = table.stdout.splitlines()
    assert head.split() == ["SERVER", "TOOL", "CALLS", "PER", "S", "ERRORS", "ERR%", "NOW", "P50", "P95"]
    assert any("datetime_get_current_time" in line and " ms" in line for line in lines)


async def test_a_server_that_dies_and_comes_back_has_no_negative_rate(suite: Up) -> None:
    await call(suite, "UTC", "UTC", "UTC", "UTC")
    argv = [SUITE, "top", "--json", "--interval", "0.2"]
    process = await asyncio.create_subprocess_exec(
        *argv, env=environment(suite.folder), stdout=asyncio.subprocess.PIPE, limit=2**20
    )
    assert process.stdout is not None
    try:
        first = json.loads(await process.stdout.readline())
        calls = _calls(first)
        os.kill(server_of(suite), signal.SIGKILL)
        gone = await _line(process, lambda each: bool(each["faults"]))
        assert _calls(gone) == calls
        await _line(process, lambda each: not each["faults"])
        await until(lambda: _answers(suite), what="the server")
        back = await _line(process, lambda each: _calls(each) > calls)
        assert all(row["callsPerSecond"] >= 0 for row in back["tools"])
    finally:
        process.terminate()
        await process.wait()


async def _line(process: asyncio.subprocess.Process, wanted: Any) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(scaled(60)):
        while True:
            found: dict[str, Any] = json.loads(await process.stdout.readline())
            if wanted(found):
                return found


def _calls(found: dict[str, Any]) -> int:
    return sum(row["calls"] for row in found["tools"])


async def _answers(up: Up) -> bool:
    try:
        await call(up, "UTC")
    except (OSError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize(("width", "shown"), [(120, {"SERVER", "PER", "P50"}), (70, {"PER", "P50"}), (40, set())])
async def test_it_is_live_in_a_terminal_of_any_width(suite: Up, width: int, shown: set[str]) -> None:
    await call(suite, "UTC")
    main, other = pty.openpty()
    env = environment(suite.folder, COLUMNS=str(width), LINES="20", TERM="xterm")
    process = await asyncio.create_subprocess_exec(
        SUITE, "top", "--interval", "0.2", env=env, stdin=other, stdout=other, stderr=other
    )
    os.close(other)
    text = ""
    try:
        async with asyncio.timeout(scaled(60)):
            # Where it is narrow the line above the table is cut.
            while "P95" not in text or (width > 60 and "of the last" not in text):
                text += (await asyncio.to_thread(os.read, main, 65536)).decode()
        process.send_signal(signal.SIGINT)
        reading = asyncio.create_task(asyncio.to_thread(_drain, main))
        assert await process.wait() == 130
        await reading
    finally:
        if process.returncode is None:
            process.kill()
        os.close(main)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    head = next(line for line in plain.splitlines() if "P95" in line)
    assert {"SERVER", "PER", "P50"} & set(head.split()) == shown
    assert {"TOOL", "CALLS", "ERRORS"} <= set(head.split())


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        return  # the other end is closed


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    done = top(tmp_path, "--once")
    assert (done.returncode, done.stdout) == (3, "")
    assert "kmcp-suite up starts one" in done.stderr
    (port,) = free_ports(1)
    done = top(tmp_path, "--once", "--url", f":{port}")
    assert done.returncode == 3
    assert "does not answer" in done.stderr
    done = top(tmp_path, "--url", "ftp://x")
    assert done.returncode == 2
    assert "not an address" in done.stderr
    done = top(tmp_path, "--cluster", "--once", "--kubeconfig", str(tmp_path / "absent"))
    assert done.returncode == 1
    assert "absent" in done.stderr


async def test_sources_that_answer_are_shown_beside_those_that_do_not(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    calls = Counter("kmcp_tool_calls_total", "", ("server", "tool", "effect", "outcome"), registry=registry)
    calls.labels("a", "b", "read", "ok").inc(3)
    seconds = Histogram("kmcp_tool_duration_seconds", "", ("server", "tool"), registry=registry, buckets=(1, 2))
    seconds.labels("a", "b").observe(5)
    good, bad = generate_latest(registry).decode(), "<html>no metrics</html>"
    routes = [
        Route("/metrics", lambda request: PlainTextResponse(good)),
        Route("/other", lambda request: PlainTextResponse(bad)),
        Route("/absent", lambda request: PlainTextResponse("", 404)),
    ]
    async with served(Starlette(routes=routes), lifespan="off") as base:
        urls = [f"--url={base}", f"--url={base}/other", f"--url={base}/absent"]
        done = await asyncio.to_thread(top, tmp_path, "--once", "--json", *urls)
        found = json.loads(done.stdout)
        only = await asyncio.to_thread(top, tmp_path, "--once", f"--url={base}/other")
    assert found["faults"] == {
        f"{base}/other": "what it answers is not metrics",
        f"{base}/absent": "it answered HTTP 404",
    }
    (row,) = found["tools"]
    assert (row["calls"], row["p95Seconds"]) == (3, 2)  # as Prometheus: beyond the last bound that bound
    assert only.returncode == 3
    assert "not metrics" in only.stderr


async def test_a_cluster_that_is_away_for_a_moment_ends_nothing(tmp_path: Path) -> None:
    """Nor do pods that are all gone for a moment, as while a node restarts."""
    pod = {
        "metadata": {"namespace": "tools", "name": "clock"},
        "spec": {"containers": [{"ports": [{"name": "management", "containerPort": 8081}]}]},
        "status": {"phase": "Running"},
    }
    answers: dict[str, Any] = {"status": 200, "items": [pod]}
    metrics = 'kmcp_tool_calls_total{server="clock",tool="now",effect="read",outcome="ok"} 3\n'
    routes = [
        Route("/api/v1/pods", lambda request: JSONResponse({"items": answers["items"]}, answers["status"])),
        Route("/api/v1/namespaces/tools/pods/clock:8081/proxy/metrics", lambda request: PlainTextResponse(metrics)),
    ]
    async with served(Starlette(routes=routes), lifespan="off") as base:
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": base}}],
        }
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(json.dumps(config))
        argv = [SUITE, "top", "--cluster", "--kubeconfig", str(kubeconfig), "--json", "--interval", "0.2"]
        process = await asyncio.create_subprocess_exec(*argv, env=environment(tmp_path), stdout=asyncio.subprocess.PIPE)
        try:
            await _line(process, lambda each: _calls(each) == 3 and not each["faults"])
            for change in ({"status": 403}, {"status": 200, "items": []}):
                answers |= change
                gone = await _line(process, lambda each: bool(each["faults"]))
                assert (_calls(gone), [*gone["faults"]]) == (3, ["the list of sources"])
                answers |= {"status": 200, "items": [pod]}
                await _line(process, lambda each: not each["faults"])
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("width", [36, 40, 50, 60, 75, 90, 120])
def test_figures_are_whole_at_every_width(width: int) -> None:
    row = Row("kubernetes", "a_tool_with_a_long_name_" * 3, 12345, 12, {}, 1, 1.5, 0.0035, 12.3)
    printed = io.StringIO()
    Console(width=width, file=printed).print(table([row], width))
    head, line = printed.getvalue().splitlines()
    assert max(len(head.rstrip()), len(line.rstrip())) <= width
    assert {"TOOL", "CALLS", "ERRORS", "P95"} <= set(head.split())
    assert {"12345", "12"} <= set(line.split())
    assert line.rstrip().endswith("12.3 s")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8081", "http://127.0.0.1:8081/metrics"),
        ("host:8081", "http://host:8081/metrics"),
        ("https://a/b", "https://a/b"),
        ("http://[::1]:8081/", "http://[::1]:8081/metrics"),
    ],
)
def test_an_address_may_be_short(text: str, address: str) -> None:
    assert address_of(text) == address


steps = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)


@given(steps)
def test_whatever_restarts_no_rate_is_negative_and_no_call_is_lost(found: list[tuple[int, bool]]) -> None:
    """Each step: so many further calls, in the same process or in a new one, whose counters began anew."""
    key = ("calls", "s", "t", "read ok")
    figures, counted, born, real = Figures(60), 0, 0.0, 0
    for at, (calls, anew) in enumerate(found):
        if anew:
            counted, born = 0, born + 1
        counted += calls
        real += calls
        figures.take({"x": Reading({key: counted}, {key: born} if counted else {}, {})}, float(at))
        for row in figures.rows():
            assert row.calls == real
            assert row.per_second is None or row.per_second >= 0


def test_a_counter_that_was_overtaken_is_known_by_its_birth() -> None:
    key = ("calls", "s", "t", "read ok")
    before, now = Reading({key: 3}, {key: 1.0}), Reading({key: 5}, {key: 2.0})
    assert growth(before, now) == {key: 5}
    assert growth(before, Reading({key: 5}, {key: 1.0})) == {key: 2}


def test_quantiles_are_those_of_prometheus() -> None:
    """The values of `histogram_quantile` of Prometheus for the same buckets."""
    buckets = [(0.1, 10.0), (0.5, 30.0), (1.0, 40.0), (float("inf"), 40.0)]
    assert quantile(0.5, buckets) == pytest.approx(0.3)
    assert quantile(0.95, buckets) == pytest.approx(0.9)
    assert quantile(0.5, []) is None
    assert quantile(0.5, [(1.0, 0.0), (float("inf"), 0.0)]) is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reading_of(text)
    except ValueError:
        return
