"""Calls from a tool's page: who may send them, what they may do, and what comes back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from kmcp_controller.catalog.console import Console
from kmcp_controller.catalog.console_rules import NotAllowedError, way_of, ways_of
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import live_tools
from kmcp_controller.catalog.page.console_form import form_of
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.mcp_client import fetch_listing
from kmcp_controller.discovery.tool_calls import call_tool
from kmcp_runtime.foreign.scrubbing import scrub
from tests.controller.consoles import PATH, TOKEN, Shelved, catalog, own, shelf_page
from tests.controller.listings import DESTROY, listing, tool
from tests.controller.test_discovery import app as answering_app
from tests.controller.test_discovery import serving
from tests.slowness import scaled
from tests.waiting import until


async def send(base: str, name: str, arguments: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=scaled(30)) as http:
        body = json.dumps({"tool": name, "arguments": arguments})
        return await http.post(f"{base}{PATH}/call", content=body, headers=headers or own(base))


async def called(page: Shelved, tool_name: str, **arguments: Any) -> list[dict[str, Any]]:
    """The events of a call that was taken."""
    answer = await send(page.base, tool_name, arguments)
    assert answer.status_code == 200, answer.text
    return events(answer.text)


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


async def test_a_reading_call_answers_with_its_result_tokens_and_time() -> None:
    async with shelf_page() as page:
        page.shelf.books["emma"] = "Emma Woodhouse, handsome, clever, and rich"
        (event,) = await called(page, "shelf_list")
        result = event["result"]
        assert result["structuredContent"]["items"] == [{"name": "emma", "text": page.shelf.books["emma"]}]
        assert event["tokens"] == len(result["content"][0]["text"].encode()) // 4 > 0
        assert 0 <= event["seconds"] < scaled(30)
        (failed,) = await called(page, "shelf_read", name="persuasion")
        assert failed["result"]["isError"] is True
        assert "no book 'persuasion'" in failed["result"]["content"][0]["text"]


async def test_nothing_is_changed_and_nothing_destroyed_from_the_page() -> None:
    """Refused by the page's server, whatever is sent; the form is not what keeps it out."""
    async with shelf_page(approval="off") as page:
        page.shelf.books["emma"] = "text"
        for name, arguments in (
            ("shelf_put", {"name": "a", "text": "b"}),
            ("shelf_put", {"name": "a", "text": "b", "dry_run": False}),
            ("shelf_put", {"name": "a", "text": "b", "dry_run": "true"}),
            ("shelf_put", {"name": "a", "text": "b", "dry_run": 1}),
            ("shelf_burn", {"name": "emma"}),
            ("shelf_burn", {"name": "emma", "dry_run": True, "approval": "x"}),
            ("shelf_burn", {"name": "emma", "dry_run": True, "dryRun": False}),
            ("shelf_tidy", {"action": "clear"}),
            ("shelf_tidy", {"action": "sort"}),
            ("shelf_tidy", {"action": ["count", "clear"]}),
            ("shelf_tidy", {}),
        ):
            answer = await send(page.base, name, arguments)
            assert (answer.status_code, answer.json()["status"]) == (403, 403), (name, arguments)
        assert page.shelf.books == {"emma": "text"}


async def test_what_changes_is_rehearsed() -> None:
    async with shelf_page(approval="off") as page:
        page.shelf.books["emma"] = "text"
        (put,) = await called(page, "shelf_put", name="a", text="b", dry_run=True)
        assert put["result"]["structuredContent"]["dry_run"] is True
        (burnt,) = await called(page, "shelf_burn", name="emma", dry_run=True)
        assert "-text" in burnt["result"]["content"][0]["text"].replace(" ", "")
        (counted,) = await called(page, "shelf_tidy", action="count")
        assert counted["result"]["structuredContent"]["name"] == "1 books"
        (cleared,) = await called(page, "shelf_tidy", action="clear", dry_run=True)
        assert not cleared["result"].get("isError"), cleared
        assert page.shelf.books == {"emma": "text"}


async def test_a_reading_call_goes_to_the_read_only_address() -> None:
    """A second judge: what the rules here took for reading, the server itself refuses when it is not."""
    async with shelf_page(approval="off") as page:
        page.shelf.books["emma"] = "text"
        burning = next(each for each in page.live.document()["servers"][0]["tools"] if each["name"] == "shelf_burn")
        (event,) = [
            await call_tool(f"{page.url}?read-only", {}, burning, {"name": "emma"}, lambda message: None, "2026-07-28")
        ]
        assert event["isError"] is True
        assert page.shelf.books == {"emma": "text"}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "ftp://127.0.0.1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "rebound.example", "Origin": "http://rebound.example"}, 400),
    ],
)
async def test_no_other_page_can_send_a_call(changed: dict[str, str], status: int) -> None:
    """Neither by a form, nor by a script, nor under a name that was bound to this machine afterwards."""
    async with shelf_page() as page:
        page.shelf.books["emma"] = "text"
        headers = {key: value for key, value in {**own(page.base), **changed}.items() if value}
        answer = await send(page.base, "shelf_list", {}, headers)
        assert answer.status_code == status
        assert "emma" not in answer.text
        assert "access-control-allow-origin" not in answer.headers
        asked = {"Access-Control-Request-Method": "POST", **headers}
        async with httpx2.AsyncClient(trust_env=False) as http:
            preflight = await http.options(f"{page.base}{PATH}/call", headers=asked)
        assert preflight.status_code in (400, 405)


async def test_the_page_may_be_read_through_a_proxy_that_ends_TLS() -> None:
    """Its Origin then begins with https, and the request comes here by http."""
    async with shelf_page() as page:
        headers = {**own(page.base), "Origin": page.base.replace("http://", "https://")}
        assert (await send(page.base, "shelf_list", {}, headers)).status_code == 200


async def test_the_callers_own_token_decides_and_no_cookie_counts(tmp_path: Path) -> None:
    async with shelf_page(tmp_path / "tokens") as page:
        page.shelf.books["emma"] = "text"
        for headers, status in (
            (own(page.base), 401),
            (own(page.base, Cookie=f"token={TOKEN}; Authorization=Bearer {TOKEN}"), 401),
            (own(page.base, Authorization="Bearer wrong"), 401),
        ):
            (event,) = events((await send(page.base, "shelf_list", {}, dict(headers))).text)
            assert event["status"] == status
        signed = own(page.base, Authorization=f"Bearer {TOKEN}")
        (event,) = events((await send(page.base, "shelf_list", {}, dict(signed))).text)
        assert event["result"]["structuredContent"]["items"][0]["name"] == "emma"
        # The scope of this token is `read`: a denial of the server is an answer of the tool, in its own words.
        rehearsed = await send(page.base, "shelf_put", {"name": "a", "text": "b", "dry_run": True}, dict(signed))
        (event,) = events(rehearsed.text)
        assert event["result"]["isError"] is True


async def test_progress_comes_before_the_result_and_leaving_cancels() -> None:
    async with shelf_page() as page:
        half, last = await called(page, "shelf_wait", seconds="0.1s")
        assert half == {"progress": {"progress": 1, "total": 2, "message": "half way"}}
        assert last["result"]["structuredContent"] == {"seconds": 0.1}
        waiting = asyncio.create_task(send(page.base, "shelf_wait", {"seconds": "4s"}))

        async def begun() -> bool:
            return page.shelf.waiting == 1

        await until(begun, what="the call")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        async def ended() -> bool:
            return page.shelf.cancelled == 1

        await until(ended, what="the cancellation")


async def test_older_servers_are_called_by_the_handshake_and_told_of_an_end() -> None:
    heard: list[tuple[str, Any]] = []

    def handle(body: dict[str, Any], request: Any) -> Response:
        method, answer = body["method"], {"jsonrpc": "2.0", "id": body.get("id")}
        heard.append((method, body.get("params")))
        if method == "initialize":
            found = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {}}
            return JSONResponse({**answer, "result": found})
        if method == "tools/call":
            texts = [
                {"type": "text", "text": "a" * 20_000 + "\x1b[31m"},
                {"type": "image", "data": "", "mimeType": "x"},
            ]
            return JSONResponse({**answer, "result": {"content": texts}})
        if "id" not in body:
            return Response(status_code=202)
        return JSONResponse({**answer, "error": {"code": -32601, "message": "no such method"}}, 404)

    old = listing(tool("query"))
    async with serving(answering_app(handle)) as base:
        async with catalog(f"{base}/mcp", old.__class__("2025-06-18", {}, old.tools, [], [])) as (page, _):
            (event,) = events((await send(page, "query", {"query": "up"})).text)
    assert event["result"]["content"][0]["text"] == "a" * 20_000 + "\ufffd[31m"
    sent = next(params for method, params in heard if method == "tools/call")
    assert sent == {"name": "query", "arguments": {"query": "up"}, "_meta": {"progressToken": "console"}}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            lambda: JSONResponse({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "own words"}}),
            "own words",
        ),
        (
            lambda: JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {"content": [], "x": "a" * 5_000_000}}),
            "too large",
        ),
        (lambda: Response("<html>", 200, media_type="text/html"), "without a JSON-RPC answer"),
        (lambda: Response("it is not for you", 403), "it is not for you"),
        (lambda: JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "input_required"}}), "use a client"),
    ],
)
async def test_what_is_no_answer_of_the_tool_is_said(answer: Any, text: str) -> None:
    async with serving(answering_app(lambda body, request: answer())) as base:
        async with catalog(f"{base}/mcp", listing(tool("query"))) as (page, _):
            (event,) = events((await send(page, "query", {"query": "up"})).text)
    assert text in event["error"]


async def test_a_server_that_is_gone_and_requests_with_faults() -> None:
    async with catalog("http://127.0.0.1:9/mcp", listing(tool("query"))) as (base, _):
        (event,) = events((await send(base, "query", {"query": "up"})).text)
        assert "cannot be reached" in event["error"]
        assert (await send(base, "absent", {})).status_code == 404
        assert (await send(base, "query", [])).status_code == 400
        assert (await send(base, "query", {"query": "a" * 2**20})).status_code == 413
        async with httpx2.AsyncClient(trust_env=False) as http:
            for body in (b"", b"{", b"[" * 100_000, b"\xff"):
                answer = await http.post(f"{base}{PATH}/call", content=body, headers=own(base))
                assert answer.status_code == 400, body[:9]
            assert (await http.post(f"{base}/servers/a/b/call", content=b"{}", headers=own(base))).status_code == 404


async def test_a_name_that_is_listed_twice_is_called_only_where_both_read() -> None:
    wipe = tool("query", annotations=DESTROY)
    async with catalog("http://127.0.0.1:9/mcp", listing(tool("query"), wipe)) as (base, _):
        assert (await send(base, "query", {"query": "x"})).status_code == 403
    # By a rehearsal of the one it might be another that is called, at the address that may write.
    schema = {"type": "object", "properties": {"dry_run": {"type": "boolean"}}}
    twins = [
        tool("query", inputSchema=schema, _meta={"kmcp-suite/tool": {"effect": effect}}) for effect in ("read", "write")
    ]
    async with catalog("http://127.0.0.1:9/mcp", listing(*twins)) as (base, _):
        answer = await send(base, "query", {"dry_run": True})
        assert (answer.status_code, "lists this name twice" in answer.text) == (403, True)


def test_a_console_is_never_open_to_any_page() -> None:
    with pytest.raises(ValueError, match="audience"):
        app(LiveDocument(), {}, console=Console(call_tool))


async def test_a_catalog_without_a_console_takes_no_call() -> None:
    live = LiveDocument()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app(live, {})), base_url="http://x") as http:
        assert (await http.post(f"{PATH}/call", json={})).status_code in (404, 405)


# What foreign servers list: hints are their word, and `dry_run` may mean anything there.
FOREIGN = [
    (tool("a"), {"query": "x"}, "read"),
    (tool("b", annotations={}), {}, None),
    (tool("c", annotations={"readOnlyHint": False}), {"dry_run": True}, None),
]


@pytest.mark.parametrize(("raw", "arguments", "way"), FOREIGN)
def test_of_foreign_tools_those_that_say_that_they_read_are_called(
    raw: dict[str, Any], arguments: dict[str, Any], way: str | None
) -> None:
    raw = {**raw, "inputSchema": {"type": "object", "properties": {"dry_run": {"type": "boolean"}, "query": {}}}}
    (found,) = live_tools([raw], None)
    assert ways_of(found) == ({way} if way else set())
    if way is None:
        with pytest.raises(NotAllowedError):
            way_of(found, arguments)
    else:
        assert way_of(found, arguments) == way


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "enum", "anyOf", "$ref", "items", "default", "a", "$defs", "const"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(values, st.sampled_from([{}, {"effect": "destroy", "actions": {"a": "read"}}, {"effect": "write"}]))
def test_any_schema_has_a_form(schema: Any, declared: dict[str, Any]) -> None:
    raw = {"name": "x", "description": "", "inputSchema": scrub(schema), "_meta": {"kmcp-suite/tool": declared}}
    (found,) = live_tools([raw], None)
    assert len(form_of(found).inputs) <= 60


def test_the_form_follows_the_schema() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    schema = {
        "type": "object",
        "$defs": {"node": node, "self": {"$ref": "#/$defs/self"}, "level": {"enum": ["low", 1]}},
        "properties": {
            "limit": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
            "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Perhaps", "default": None},
            "list": {"type": "array", "items": {"type": "string"}},
            "node": {"$ref": "#/$defs/node"},
            "self": {"$ref": "#/$defs/self"},
            "level": {"$ref": "#/$defs/level"},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "flag": {"type": "boolean", "default": False},
            "nullable": {"type": ["number", "null"]},
            "wanted": {"type": "string", "maxLength": 7},
        },
        "required": ["wanted"],
    }
    (found,) = live_tools([tool("x", inputSchema=schema)], None)
    form = form_of(found)
    kinds = {each.name: each.kind for each in form.inputs}
    assert next(iter(kinds)) == "wanted"
    assert kinds == {
        "wanted": "text",
        "limit": "number",
        "maybe": "text",
        "list": "json",
        "node": "json",
        "self": "any",
        "level": "choice",
        "either": "any",
        "flag": "choice",
        "nullable": "number",
    }
    by_name = {each.name: each for each in form.inputs}
    assert (by_name["limit"].step, by_name["limit"].minimum, by_name["limit"].maximum) == ("1", "1", "9")
    assert by_name["limit"].default == "3"
    assert by_name["level"].choices == ('"low"', "1")
    assert by_name["maybe"].description == "Perhaps"
    assert form.inputs[0].required
    assert not form.takes_others


async def test_the_page_has_the_form_and_says_what_else_can_be_done() -> None:
    many = {f"a{n}": {"type": "string"} for n in range(500)}
    async with shelf_page() as page, httpx2.AsyncClient(trust_env=False, base_url=page.base) as http:
        text = (await http.get(f"{PATH}/tool?name=shelf_put")).text
        assert 'data-name="text"' in text
        assert 'data-name="dry_run"' not in text
        assert "This form needs a script" in text
        assert "kmcp-suite connect" in text
    async with catalog("http://x/mcp", listing(tool("big", inputSchema={"type": "object", "properties": many}))) as (
        base,
        _,
    ):
        async with httpx2.AsyncClient(trust_env=False, base_url=base) as http:
            assert "440 further arguments" in (await http.get(f"{PATH}/tool?name=big")).text


async def test_it_speaks_with_a_server_as_discovery_does() -> None:
    """The listing by which a call is judged is that of the same client."""
    async with shelf_page() as page:
        found = await fetch_listing(page.url, {}, 10)
        assert {each["name"] for each in found.tools} >= {"shelf_list", "shelf_burn"}
