"""The audit at a collector: what arrives is what the published protocol says; nothing waits for one that is away."""

import base64
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.otlp import Collector, Exporter, open_exporter
from kmcp_runtime.audit.trail import Trail
from kmcp_runtime.audit.verification import Verification
from kmcp_runtime.engine.configured import Process
from tests.audit.making import entry
from tests.ports import free_ports
from tests.runtime.conftest import connected, shelved
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

logs_service = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
json_format = pytest.importorskip("google.protobuf.json_format")


class Receiver:
    """A collector that reads requests by the published definitions."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Response] = []
        """What is answered first, one for each request."""

    async def take(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        body = await request.json()
        if self.answers:
            return self.answers.pop(0)
        self.requests.append(json_format.ParseDict(_with_bytes(body), logs_service.ExportLogsServiceRequest()))
        return JSONResponse({})

    @property
    def records(self) -> list[Any]:
        return [
            record
            for request in self.requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    async def count(self) -> int:
        return len(self.records)


def _with_bytes(node: Any) -> Any:
    """OTLP's JSON writes ids in hexadecimal, where the JSON of protobuf has base64; otherwise both are the same."""
    if isinstance(node, list):
        return [_with_bytes(each) for each in node]
    if isinstance(node, dict):
        return {
            name: base64.b64encode(bytes.fromhex(value)).decode()
            if name in ("traceId", "spanId")
            else _with_bytes(value)
            for name, value in node.items()
        }
    return node


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    async with served(Starlette(routes=[Route("/v1/logs", receiver.take, methods=["POST"])])) as url:
        yield receiver, url


def exporter(url: str, metrics: AuditMetrics, **options: Any) -> Exporter:
    return Exporter(Collector(f"{url}/v1/logs", {}), None, metrics, **options)


def lost(metrics: AuditMetrics) -> float:
    return sum(sample.value for sample in next(iter(metrics.lost.collect())).samples if sample.name.endswith("_total"))


async def test_records_are_those_of_the_protocol_and_their_chain_is_whole() -> None:
    async with receiving() as (receiver, url):
        process = Process.of(
            RuntimeSettings(audit_otlp_endpoint=url, audit_otlp_headers="Authorization=Bearer%20let-me-in, X-Team=a")
        )
        instance = shelved(process)
        async with connected(instance) as caller:
            await caller.client.call_tool("shelf_list", {}, meta={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
            await caller.fails("shelf_read", name="absent")
            for _ in range(300):
                instance.trail.write(entry())
        assert await until(receiver.count, lambda count: count == 302) == 302
        instance.refusals.close()
    first, second = receiver.records[:2]
    assert (first.trace_id.hex(), first.span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert abs(first.time_unix_nano / 1e9 - time.time()) < scaled(120)
    assert first.severity_number == 9
    assert first.event_name == "kmcp.audit.call"
    attributes = {each.key: each.value.string_value for each in second.attributes}
    assert (attributes["kmcp.tool"], attributes["kmcp.outcome"]) == ("shelf_read", "not_found")
    about = {each.key for each in receiver.requests[0].resource_logs[0].resource.attributes}
    assert {"service.name", "service.version", "host.name"} <= about
    assert receiver.headers[0]["authorization"] == "Bearer let-me-in"
    found = Verification()
    for number, record in enumerate(receiver.records, 1):
        found.feed("otlp", number, record.body.string_value.encode())
    found.finish()
    assert (found.faults, found.lines) == ([], 302)


async def test_it_tries_again_when_the_collector_says_so() -> None:
    metrics = AuditMetrics(CollectorRegistry())
    async with receiving() as (receiver, url):
        receiver.answers = [Response(status_code=503), Response(status_code=429, headers={"Retry-After": "0"})]
        sink = exporter(url, metrics, pauses=(0.01,))
        trail = Trail([sink], metrics)
        trail.write(entry(1))
        await until(receiver.count, lambda count: count == 1)
        assert len(receiver.headers) == 3
        trail.close()
        assert (trail.faults(), lost(metrics)) == ({}, 0)


async def test_what_the_collector_never_takes_is_counted() -> None:
    metrics = AuditMetrics(CollectorRegistry())
    async with receiving() as (receiver, url):
        partly = JSONResponse({"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "no"}})
        receiver.answers = [Response(status_code=400), partly]
        sink = exporter(url, metrics)
        trail = Trail([sink], metrics)
        trail.write(entry(1))

        async def refused() -> float:
            return lost(metrics)

        await until(refused, lambda count: count == 1)
        assert "HTTP 400" in trail.faults()["otlp"]
        trail.write(entry(2))
        await until(refused, lambda count: count == 2)
        assert trail.faults() == {}
        trail.close()


async def test_a_collector_that_is_away_holds_nothing_up_and_what_is_too_much_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (port,) = free_ports(1)
    metrics = AuditMetrics(CollectorRegistry())
    sink = exporter(f"http://127.0.0.1:{port}", metrics, longest=100, pauses=(0.05,))
    trail = Trail([sink], metrics)
    began = time.process_time()
    for number in range(1000):
        trail.write(entry(number))
    assert time.process_time() - began < scaled(2)
    assert lost(metrics) == 900

    async def fault() -> str:
        return trail.faults().get("otlp", "")

    assert "refused" in await until(fault)
    trail.close()
    assert lost(metrics) == 1000
    errors = [line.getMessage() for line in caplog.records if line.levelno == logging.ERROR]
    assert any("did not reach the collector" in line for line in errors)
    assert len(errors) < 10


def test_required_needs_a_sink_that_has_the_line_before() -> None:
    with pytest.raises(SettingsError, match="add file or stderr"):
        Process.of(RuntimeSettings(audit="required", audit_otlp_endpoint="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"audit_otlp_endpoint": "collector:4318"}, "KMCP_AUDIT_OTLP_ENDPOINT"),
        ({"audit_otlp_endpoint": "http://user:secret@collector"}, "credentials belong"),
        ({"audit_otlp_endpoint": "http://collector?x=1"}, "credentials belong"),
        ({"audit_otlp_endpoint": "http://[bad"}, "KMCP_AUDIT_OTLP_ENDPOINT: must be http"),
        ({"audit_otlp_endpoint": "http://h:99999"}, "KMCP_AUDIT_OTLP_ENDPOINT: must be http"),
        ({"audit_otlp_endpoint": "http://c", "audit_otlp_headers": "secret"}, "name=value"),
        ({"audit_otlp_endpoint": "http://c", "audit_otlp_headers": "a=%0d%0asecret"}, "name=value"),
        ({"audit_sinks": "otlp"}, "otlp needs KMCP_AUDIT_OTLP_ENDPOINT"),
        ({"audit_sinks": "file"}, "file needs KMCP_AUDIT_FILE"),
        ({"audit_sinks": "syslog"}, "there are stderr, file, otlp"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_the_reason(settings: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Process.of(RuntimeSettings(**settings))
    assert "secret" not in str(refused.value)


def test_the_path_of_the_protocol_is_added_where_there_is_none() -> None:
    for given, asked in {
        "http://c": "http://c/v1/logs",
        "http://c:1/": "http://c:1/v1/logs",
        "http://c/x": "http://c/x",
    }.items():
        found = open_exporter(RuntimeSettings(audit_otlp_endpoint=given), None, AuditMetrics(CollectorRegistry()))
        assert found._collector.url == asked
