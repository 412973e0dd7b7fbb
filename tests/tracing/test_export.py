"""Whether and where spans are sent: the variables of OpenTelemetry, and collectors that are away or silent."""

import asyncio
import os
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_runtime.settings import SettingsError
from kmcp_runtime.tracing import export
from tests.slowness import scaled
from tests.tracing.collector import Collector, collecting
from tests.tracing.processes import SOON, command, serving, started
from tests.waiting import until

TOOL = "datetime_get_current_time"
NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOWHERE}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": NOWHERE}, ()),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, ("console", "otlp")),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, ()),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, ()),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, ("otlp",)),
    ],
)
def test_what_asks_for_traces(variables: dict[str, str], expected: tuple[str, ...]) -> None:
    assert export.exporters(variables) == expected


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: there is no exporter 'zipkin'"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "no exporter for grpc; set http/prot",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "'smoke' is none of http/protobuf"),
    ],
)
def test_what_cannot_be_meant_is_said_at_the_start(variables: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words), export.exporting("kmcp-clock", variables):
        pass


def _without_the_extra(folder: Path) -> str:
    """A path of modules like that of this process, but for what the extra brings."""
    installed = Path(sysconfig.get_path("purelib"))
    (folder / "opentelemetry").mkdir()
    for each in [*installed.iterdir(), *(installed / "opentelemetry").iterdir()]:
        place = folder / each.relative_to(installed)
        extra = each.parent.name == "opentelemetry" and each.name in ("sdk", "exporter")
        if (
            not place.exists()
            and not extra
            and not each.name.startswith(("opentelemetry_sdk", "opentelemetry_exporter"))
        ):
            place.symlink_to(each)
    return os.pathsep.join((str(folder), "servers", "."))


async def test_without_the_extra_a_start_says_what_is_missing(tmp_path: Path) -> None:
    """V9: where variables ask for traces, nothing is left out in silence."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE, "PYTHONPATH": _without_the_extra(tmp_path)}
    python, *rest = command("clock")
    process = await started([python, "-S", *rest, "--transport", "http"], environment)
    _, errors = await asyncio.wait_for(process.communicate(), scaled(30))
    assert process.returncode == 2, errors
    assert b"its SDK is not installed: install the suite with its extra otel" in errors
    assert b"Traceback" not in errors


async def test_nothing_of_the_sdk_is_imported_while_nobody_asks_for_it() -> None:
    look = (
        "import sys, kmcp_runtime.engine.cli, kmcp_runtime.kube.api, kmcp_runtime.tracing.export\n"
        "with kmcp_runtime.tracing.export.exporting('x', {}): pass\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    process = await started([sys.executable, "-c", look], {})
    output, errors = await process.communicate()
    assert output.strip() == b"[]", errors


async def test_the_sampler_of_the_environment_decides(collector: Collector) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/own/path",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=team-a",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.name=named",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        **SOON,
    }
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with serving("clock", environment) as server, Client(server.url) as client:
        for flags in ("00", "01"):
            await client.call_tool(TOOL, {}, meta={"traceparent": f"00-{trace}-{span}-{flags}"})
        await client.call_tool(TOOL, {})
        found = await collector.span(f"tools/call {TOOL}")
    assert [each.parent for each in collector.spans] == [span]
    assert found.resource["deployment.environment.name"] == "test"
    assert found.resource["service.name"] == "named"
    (request,) = collector.requests
    assert (request["path"], request["x-tenant"], request["content-encoding"]) == ("/own/path", "team-a", "gzip")


@pytest.mark.parametrize("kind", ["away", "refusing", "silent"])
async def test_a_collector_that_is_away_slows_no_call_and_no_end(kind: str) -> None:
    """One line in the log, whatever the number of batches; an end within seconds."""
    hold = threading.Event() if kind == "silent" else None
    with collecting(503 if kind == "refusing" else 200, hold) as collector:
        endpoint = NOWHERE if kind == "away" else collector.url
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1" if kind != "silent" else "3600",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
            **SOON,
        }
        async with serving("clock", environment) as server, Client(server.url) as client:
            slowest = await _slowest(client, 40)
            if kind != "silent":
                await until(lambda: _told(server.lines), what="a line in the log")
            began = time.monotonic()
            assert await server.end() == 0
            ended = time.monotonic() - began
        assert slowest < scaled(1), "seconds of the slowest call"
        assert ended < scaled(8), "seconds until the process had ended"
        assert len([line for line in server.lines if "traces cannot be sent" in line]) <= 1
        assert not [line for line in server.lines if "Traceback" in line or "opentelemetry" in line]
        dropped = [line for line in server.lines if "spans are dropped" in line]
        assert len(dropped) == (1 if kind == "silent" else len(dropped[:1]))


async def _told(lines: list[str]) -> bool:
    return any("traces cannot be sent, and calls go on" in line for line in lines)


async def _slowest(client: Client[Any], count: int) -> float:
    slowest = 0.0
    for _ in range(count):
        began = time.monotonic()
        await client.call_tool(TOOL, {})
        slowest = max(slowest, time.monotonic() - began)
    return slowest


async def test_a_collector_that_comes_back_is_told_and_gets_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from kmcp_runtime.tracing.told_once import Overheard, ToldOnce

    results = iter([SpanExportResult.FAILURE] * 3 + [SpanExportResult.SUCCESS] * 2)

    class Wavering(InMemorySpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return next(results)

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToldOnce(Wavering(), Overheard())))
    with caplog.at_level("INFO", "kmcp.traces"):
        for _ in range(5):
            provider.get_tracer("test").start_span("one").end()
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "traces cannot be sent",
        "traces are sent again",
    ]
