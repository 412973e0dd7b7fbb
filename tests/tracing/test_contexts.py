"""The trace that a client names, read by W3C Trace Context."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import Call, Effect, Result, RuntimeSettings, tool, tools_in
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.tracing import contexts
from tests.runtime import shelf
from tests.runtime.raw_answers import MODERN
from tests.serving import served

CALL = {
    "Accept": "application/json, text/event-stream",
    "Mcp-Protocol-Version": MODERN,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "shelf_trace",
}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("written", "sampled"),
    [(f"00-{TRACE}-{SPAN}-01", True), (f"00-{TRACE}-{SPAN}-00", False), (f"01-{TRACE}-{SPAN}-03-later", True)],
)
def test_what_the_standard_allows_is_taken(written: str, sampled: bool) -> None:
    assert contexts.received({"traceparent": written}) == contexts.TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "written",
    [
        "",
        1,
        None,
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\r\nX-Evil: 1",
        f"01-{TRACE}-{SPAN}-01-" + "x" * 600,
    ],
)
def test_what_it_forbids_is_no_context(written: Any) -> None:
    assert contexts.received({"traceparent": written}) is None


def test_a_state_goes_on_unless_it_could_break_a_header() -> None:
    parent = f"00-{TRACE}-{SPAN}-01"
    kept = contexts.received({"traceparent": parent, "tracestate": "rojo=1,congo=t61"})
    assert kept is not None
    assert kept.headers == {"traceparent": parent, "tracestate": "rojo=1,congo=t61"}
    for bad in ("a=1\r\nX-Evil: 1", "x" * 513, 7, "ä=1"):
        left = contexts.received({"traceparent": parent, "tracestate": bad})
        assert left is not None
        assert left.headers == {"traceparent": parent}


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True))
def test_whatever_is_sent_a_header_made_of_it_is_valid(written: str) -> None:
    found = contexts.received({"traceparent": written, "tracestate": written})
    if found is not None:
        assert contexts.received(found.headers) == found
        assert all(text.isascii() and text.isprintable() for text in found.headers.values())


class Traced(Result):
    own = True
    trace: str | None


@tool(Effect.READ)
async def shelf_trace(call: Call) -> Traced:
    """Tell the trace of this call."""
    return Traced(trace=contexts.trace_id())


@asynccontextmanager
async def telling() -> AsyncIterator[str]:
    server = replace(shelf.SERVER, tools=lambda: tools_in(sys.modules[__name__]))
    instance = ConfiguredServer(server, shelf.ShelfSettings(), Process.of(RuntimeSettings()))
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        yield f"{url}/mcp"


async def test_a_call_belongs_to_the_trace_of_its_message_or_else_of_its_request() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
    other = TRACE[::-1]
    cases = [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {}, TRACE),
        ({}, {"traceparent": f"00-{other}-{SPAN}-01"}, other),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {"traceparent": f"00-{other}-{SPAN}-01"}, TRACE),
        ({"traceparent": "nonsense"}, {"traceparent": f"00-{other}-{SPAN}-01"}, other),
        ({}, {}, None),
    ]
    async with telling() as url, httpx2.AsyncClient() as client:
        for named, headers, expected in cases:
            params = {"name": "shelf_trace", "arguments": {}, "_meta": {**meta, **named}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = await client.post(url, json=body, headers={**headers, **CALL})
            result = answer.json()["result"]
            assert result["structuredContent"].get("trace") == expected, (named, headers, result)
