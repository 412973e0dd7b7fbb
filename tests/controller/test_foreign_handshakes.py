"""What foreign servers answer to a discovery: any shape of any field, slow, redirected, refused (D1 to D3)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from kmcp_controller.discovery.mcp_client import DiscoveryError, fetch_listing
from kmcp_controller.status import Listing
from kmcp_runtime.foreign.conversation import Conversation
from kmcp_runtime.foreign.listed_tools import read_tools
from kmcp_runtime.foreign.servers_file import ForeignEntry
from tests.controller.test_discovery import Handler, asked, older, serving, tool
from tests.slowness import scaled

ODD: list[Any] = [None, True, 0, -1.5, 5, "", "text", "\ud800\x00", [], [1], [[]], {}, {"a": 1}]


def answering(**results: Any) -> Handler:
    """A server whose results are given by method; `initialize` and the rest are refused unless they are given."""

    def handle(body: dict[str, Any], request: Request) -> Response:
        answer = {"jsonrpc": "2.0", "id": body.get("id")}
        if body["method"].startswith("notifications/"):
            return Response(status_code=202)
        method = body["method"].replace("/", "_")
        if method not in results:
            return JSONResponse({**answer, "error": {"code": -32601, "message": "no such method"}})
        return JSONResponse({**answer, "result": results[method]})

    return handle


async def outcome(handler: Handler) -> Listing | DiscoveryError:
    """What a discovery comes to; anything but these two fails the test."""
    try:
        return await asked(handler)
    except DiscoveryError as error:
        return error


MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "serverInfo": {"name": "x"}, "_meta": {}}
OLDER = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}
LIST = {"tools": [tool("a")], "nextCursor": None}
FIELDS = [
    *(("server_discover", key) for key in MODERN),
    *(("initialize", key) for key in OLDER),
    *(("tools_list", key) for key in LIST),
]


@pytest.mark.parametrize(("method", "key"), FIELDS)
async def test_any_field_may_have_any_shape(method: str, key: str) -> None:
    """D1: a listing or a reason, never an exception, and no field of the wrong type goes on."""
    for value in ODD:
        results = {"tools_list": LIST, method: {**(MODERN | OLDER | LIST), key: value}}
        found = await outcome(answering(**results))
        if isinstance(found, Listing):
            assert all(isinstance(each, str) for each in found.server_info.values())
            assert isinstance(found.protocol_version, str)
        else:
            assert str(found), (key, value)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(MODERN | OLDER | LIST)), inner),
    max_leaves=8,
)


@given(st.lists(values, min_size=3, max_size=3))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_no_answer_raises(results: list[Any]) -> None:
    methods = ("server_discover", "initialize", "tools_list")
    asyncio.run(outcome(answering(**json.loads(json.dumps(dict(zip(methods, results, strict=True)))))))


async def test_what_cannot_be_sent_back_is_refused() -> None:
    def handle(body: dict[str, Any], request: Request) -> Response:
        response = answering(initialize=OLDER, tools_list=LIST)(body, request)
        response.headers["Mcp-Session-Id"] = "s\xe9"
        return response

    found = await outcome(handle)
    assert isinstance(found, DiscoveryError)
    assert "Mcp-Session-Id" in str(found)
    broken = await outcome(lambda body, request: Response(b"no gzip", headers={"content-encoding": "gzip"}))
    assert isinstance(broken, DiscoveryError)
    assert broken.reason == "NotMCP"


async def test_a_server_that_is_slow_to_refuse_is_asked_the_other_way() -> None:
    """D2: the first request hangs, as in servers that queue what comes before their handshake."""
    hanging = asyncio.Event()

    async def mcp(request: Request) -> Response:
        body = json.loads(await request.body())
        if body["method"] == "server/discover":
            await hanging.wait()
        return older(lambda _: {"tools": [tool("a")]})(body, request)

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST"])])) as base:
        listing = await fetch_listing(f"{base}/mcp", {}, scaled(4), at_least=1)
        hanging.set()
    assert [each["name"] for each in listing.tools] == ["a"]


async def test_a_slow_server_of_the_newest_revision_alone_gets_a_second_turn() -> None:
    """D2: the refusal of the handshake does not end what the first attempt began."""
    calls = list[str]()

    async def mcp(request: Request) -> Response:
        body = json.loads(await request.body())
        calls.append(body["method"])
        if calls == ["server/discover"]:
            await asyncio.Event().wait()
        return answering(server_discover=MODERN, tools_list=LIST)(body, request)

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST"])])) as base:
        listing = await fetch_listing(f"{base}/mcp", {}, scaled(4), at_least=1)
    assert listing.protocol_version == "2026-07-28"


def status(code: int, **headers: str) -> Handler:
    return lambda body, request: Response(
        status_code=code, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.mark.parametrize(
    ("handler", "reason", "words"),
    [
        (lambda body, request: RedirectResponse("/mcp/", 307), "NotMCP", "HTTP 307 to /mcp/"),
        (lambda body, request: RedirectResponse("/mcp/", 301), "NotMCP", "set spec.httpTransport.path"),
        (lambda body, request: RedirectResponse("https://other/mcp", 308), "NotMCP", "HTTP 308 to https://other/mcp"),
        (
            status(404),
            "NotMCP",
            "nothing answers at /mcp; set spec.httpTransport.path, or spec.url of a RemoteMCPServer",
        ),
        (status(401), "AuthRequired", "HTTP 401; name its credentials in headersFrom"),
        (status(421), "NotMCP", "add it to the hosts that it allows"),
        (status(429, Retry_After="7"), "Unreachable", "HTTP 429 Too Many Requests; Retry-After: 7"),
        (status(500), "Unreachable", "HTTP 500 Internal Server Error"),
        (status(502), "Unreachable", "HTTP 502 Bad Gateway"),
        (status(503), "Unreachable", "HTTP 503 Service Unavailable; it is asked again later"),
    ],
)
async def test_a_status_is_told_by_its_true_kind(handler: Handler, reason: str, words: str) -> None:
    """D3: with the next step."""
    found = await outcome(handler)
    assert isinstance(found, DiscoveryError)
    assert (found.reason, words in str(found)) == (reason, True), str(found)


async def test_bytes_above_ascii_in_a_header_pass_and_other_characters_are_told() -> None:
    heads: list[bytes] = []

    async def mcp(request: Request) -> Response:
        heads.append(dict(request.scope["headers"])[b"x-place"])
        return answering(server_discover=MODERN, tools_list=LIST)(await request.json(), request)

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST"])])) as base:
        await fetch_listing(f"{base}/mcp", {"X-Place": "café"}, scaled(4))
        assert set(heads) == {"café".encode("latin-1")}
        for odd in ({"X-Place": "東京"}, {"X-Plätze": "a", "X-東": "b"}):
            with pytest.raises(DiscoveryError, match="a header of headersFrom has characters") as told:
                await fetch_listing(f"{base}/mcp", odd, scaled(4))
            assert told.value.reason == "AuthRequired"


async def test_a_cursor_with_half_a_character_comes_back_as_it_was() -> None:
    """To the controller, and to the door."""
    cursors: list[Any] = []

    async def mcp(request: Request) -> Response:
        body = await request.json()
        if body["method"] != "tools/list":
            return answering(server_discover=MODERN)(body, request)
        cursors.append(body["params"].get("cursor"))
        more = {} if cursors[-1] else {"nextCursor": "half \ud800 of it"}
        said = {"jsonrpc": "2.0", "id": body["id"], "result": {"tools": [tool(f"t{len(cursors)}")], **more}}
        return Response(json.dumps(said), media_type="application/json")

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST"])])) as base:
        assert len((await fetch_listing(f"{base}/mcp", {}, scaled(4))).tools) == 2
        conversation = Conversation(ForeignEntry(name="half", url=f"{base}/mcp"))
        assert len(await read_tools(conversation)) == 2
        await conversation.close()
    assert cursors == [None, "half \ud800 of it"] * 2


async def test_an_error_for_another_request_is_not_ours() -> None:
    """D3: it stands before the answer in the stream."""

    async def events(answer: dict[str, Any]) -> AsyncIterator[str]:
        yield 'data: {"jsonrpc":"2.0","id":"other","error":{"code":-1,"message":"not yours"}}\n\n'
        yield f"data: {json.dumps(answer)}\n\n"

    def handle(body: dict[str, Any], request: Request) -> Response:
        response = answering(initialize=OLDER, tools_list=LIST)(body, request)
        if response.status_code == 202:
            return response
        return StreamingResponse(events(json.loads(bytes(response.body))), media_type="text/event-stream")

    assert isinstance(await outcome(handle), Listing)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
async def test_any_line_end_ends_an_event(end: str, size: int) -> None:
    """D3: CR alone is a line end too, wherever the chunks are cut."""

    async def events(answer: dict[str, Any]) -> AsyncIterator[str]:
        first, second = json.dumps(answer).split(", ", 1)
        text = f": hi{end}{end}event: message{end}data: {first}, {end}data: {second}{end}{end}"
        for start in range(0, len(text), size):
            yield text[start : start + size]

    def handle(body: dict[str, Any], request: Request) -> Response:
        response = answering(server_discover=MODERN, tools_list=LIST)(body, request)
        return StreamingResponse(events(json.loads(bytes(response.body))), media_type="text/event-stream")

    assert isinstance(await outcome(handle), Listing)
