"""Spans of real servers as a real collector gets them, from the client's trace to the request of the backend."""

import base64
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from kmcp_runtime.kube.api import KubeApi
from tests.mcp import ToolCaller
from tests.tracing.collector import Collector
from tests.tracing.processes import SOON, Forwarder, command, serving
from tests.waiting import until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NAMED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
PLANTED = "kq7-Planted-Value-93f2"


def to(collector: Collector, **more: str) -> dict[str, str]:
    """The environment of a server whose spans go there."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **SOON, **more}


async def test_a_trace_goes_from_the_client_through_the_call_to_the_backend(
    collector: Collector, asked: Forwarder
) -> None:
    """X13, V9: in the collector, in the headers that Prometheus gets, and in the audit line."""
    async with serving("prometheus", to(collector, PROMETHEUS_URL=asked.url)) as server:
        async with Client(server.url) as client:
            await client.call_tool("prometheus_query_tool", {"query": "vector(1)"}, meta=NAMED)
        call = await collector.span("tools/call prometheus_query_tool")
        query = await collector.span("POST /api/v1/query")
        (line,) = await until(server.audited, what="an audit line")
    assert (call.kind, call.trace, call.parent) == ("server", TRACE, SPAN)
    assert (query.kind, query.trace, query.parent) == ("client", TRACE, call.id)
    (headers,) = [headers for path, headers in asked.seen if path == "/api/v1/query"]
    assert headers["traceparent"] == f"00-{TRACE}-{query.id}-01"
    assert call.attributes["kmcp.request.id"] == line["request"]
    assert (line["trace"], line["span"]) == (TRACE, call.id)
    assert call.resource["service.name"] == "kmcp-prometheus"
    assert collector.requests[0]["path"] == "/v1/traces"


async def test_without_a_collector_a_backend_is_below_the_client(asked: Forwarder) -> None:
    async with serving("prometheus", {"PROMETHEUS_URL": asked.url}) as server, Client(server.url) as client:
        await client.call_tool("prometheus_query_tool", {"query": "vector(1)"}, meta=NAMED)
        await client.call_tool("prometheus_query_tool", {"query": "vector(2)"})
    named, unnamed = [headers for path, headers in asked.seen if path == "/api/v1/query"]
    assert named["traceparent"] == NAMED["traceparent"]
    assert "traceparent" not in unnamed


async def test_the_header_of_http_is_the_parent_where_the_message_names_none(collector: Collector) -> None:
    other = TRACE[::-1]
    async with serving("clock", to(collector)) as server:
        http = StreamableHttpTransport(server.url, headers={"traceparent": f"00-{other}-{SPAN}-01"})
        async with Client(http) as client:
            await client.call_tool("datetime_get_current_time", {})
            await collector.span("tools/call datetime_get_current_time")
            await client.call_tool("datetime_get_current_time", {}, meta=NAMED)

        async def both() -> list[Any]:
            found = [each for each in collector.spans if each.name == "tools/call datetime_get_current_time"]
            return found if len(found) == 2 else []

        of_header, of_message = await until(both, what="two spans")
    assert (of_header.trace, of_header.parent, of_header.links) == (other, SPAN, ())
    # The message's own is nearer than that of the stream that carries it, which is linked, as the convention says.
    assert (of_message.trace, of_message.parent, of_message.links) == (TRACE, SPAN, (other,))
    assert of_message.attributes["network.transport"] == "tcp"


async def test_over_stdio_spans_leave_before_the_process_ends(collector: Collector) -> None:
    """Nothing is waited for here but the end of the process."""
    program, *arguments = command("clock")
    environment = to(collector, OTEL_BSP_SCHEDULE_DELAY="3600000", OTEL_SERVICE_NAME="my-clock")
    transport = StdioTransport(program, arguments, env=environment, keep_alive=False)
    async with Client(transport) as client:
        await client.call_tool("datetime_get_current_time", {}, meta=NAMED)
    call = await collector.span("tools/call datetime_get_current_time")
    assert (call.trace, call.parent) == (TRACE, SPAN)
    assert call.attributes["network.transport"] == "pipe"
    assert call.resource["service.name"] == "my-clock"


async def test_an_error_is_its_class_and_never_its_text(collector: Collector, asked: Forwarder) -> None:
    async with serving("prometheus", to(collector, PROMETHEUS_URL=asked.url)) as server, Client(server.url) as client:
        caller = ToolCaller(client)
        await caller.fails("prometheus_query_tool", query=f"up + on () {{job='{PLANTED}'")
        await caller.fails("prometheus_query_tool", query="up", unknown=PLANTED)
        await caller.fails(f"tool-{PLANTED}")
        await client.list_tools()
        await collector.span("tools/list")
        call = await collector.span("tools/call prometheus_query_tool", **{"kmcp.outcome": "bad_argument"})
        unknown = await collector.span("tools/call")
    for failed in (call, unknown):
        assert failed.failed
        assert failed.attributes["error.type"] == "tool_error"
    assert "gen_ai.tool.name" not in unknown.attributes
    assert not any(PLANTED.encode() in span.raw for span in collector.spans)


async def test_a_backend_that_is_away_is_an_error_of_its_span(collector: Collector) -> None:
    address = "http://127.0.0.1:1"
    async with serving("prometheus", to(collector, PROMETHEUS_URL=address)) as server, Client(server.url) as client:
        await ToolCaller(client).fails("prometheus_query_tool", query="up")
        request = await collector.span("POST /api/v1/query")
    assert request.failed
    assert request.attributes["error.type"] == "ConnectError"
    assert (request.attributes["server.address"], request.attributes["server.port"]) == ("127.0.0.1", 1)


@pytest.mark.cluster
async def test_requests_to_the_api_server_and_values_in_no_span(
    collector: Collector, asked_cluster: tuple[Forwarder, str], api: KubeApi, namespace: str
) -> None:
    """Names of objects, values of Secrets, selectors and texts of errors leave by no span."""
    forwarder, kubeconfig = asked_cluster
    secret = {"metadata": {"name": "planted-name"}, "stringData": {"password": PLANTED}}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/secrets", (), secret)
    async with serving("kubernetes", to(collector, KUBECONFIG=kubeconfig)) as server, Client(server.url) as client:
        call = {"resource_type": "secret", "resource_name": "planted-name", "namespace": namespace}
        await client.call_tool("k8s_get_resources", call, meta=NAMED)
        await client.call_tool(
            "k8s_patch_resource",
            {**call, "patch": f'{{"stringData": {{"password": "{PLANTED}2"}}}}'},
            raise_on_error=False,
        )
        await ToolCaller(client).fails("k8s_get_resources", resource_type="pod", resource_name=PLANTED.lower())
        await client.call_tool(
            "k8s_get_resources", {"resource_type": "pod", "selector": f"app={PLANTED}"}, raise_on_error=False
        )
        read = await collector.span(
            "GET /api/v1/namespaces/{namespace}/secrets/{name}", **{"http.response.status_code": 200}
        )
        await collector.span("GET /api/v1/namespaces/{namespace}/pods/{name}", **{"error.type": "404"})
    assert read.trace == TRACE
    assert f"00-{TRACE}-{read.id}-01" in [headers.get("traceparent") for _, headers in forwarder.seen]
    encoded = base64.b64encode(PLANTED.encode())
    for planted in (PLANTED.encode(), PLANTED.lower().encode(), encoded, b"planted-name", namespace.encode()):
        assert [span.name for span in collector.spans if planted in span.raw] == []
