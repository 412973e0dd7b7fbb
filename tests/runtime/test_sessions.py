"""Clients that shake hands with a server as it is by default: asked, cancelled, never turned away (X11)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer
from kmcp_runtime.engine.sessions import Sessions
from tests.mcp import ToolCaller
from tests.runtime.conftest import shelf_of, shelved
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
HELLO: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "x", "version": "1"},
}


@asynccontextmanager
async def serving(instance: ConfiguredServer) -> AsyncIterator[tuple[str, httpx2.AsyncClient]]:
    async with (
        instance.opened(),
        served(http_app("shelf", [instance], None)) as url,
        httpx2.AsyncClient(headers=HEADERS, timeout=scaled(30)) as http,
    ):
        yield f"{url}/mcp", http


def request(method: str, number: int | None = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})


async def hello(http: httpx2.AsyncClient, url: str, **headers: str) -> str:
    """The session that a client gets; empty for none."""
    answer = await http.post(url, json=request("initialize", **HELLO), headers=headers)
    assert answer.status_code == 200
    return str(answer.headers.get("mcp-session-id", ""))


@pytest.mark.parametrize("answer", [True, False])
async def test_a_client_that_can_ask_is_asked(answer: bool) -> None:
    """X11: over HTTP as it is by default."""

    async def handler(message: str, response_type: Any, params: Any, context: Any) -> Any:
        return ElicitResult(action="accept", content={"ok": answer})

    instance = shelved()
    async with serving(instance) as (url, _), Client(url, mode="legacy", elicitation_handler=handler) as client:
        shelf_of(instance).books["moby"] = "dick"
        caller = ToolCaller(client)
        if answer:
            await caller.ok("shelf_burn", name="moby")
        else:
            assert (await caller.fails("shelf_burn", name="moby"))["code"] == "denied"
        assert ("moby" in shelf_of(instance).books) is not answer


async def test_a_cancelled_call_ends() -> None:
    """X11: by the id of its request, and only of the same session."""
    instance = shelved()
    async with serving(instance) as (url, http):
        one, other = [{"Mcp-Session-Id": await hello(http, url)} for _ in range(2)]
        wait = request("tools/call", 7, name="shelf_wait", arguments={"seconds": "60s"})
        call = asyncio.create_task(http.post(url, json=wait, headers=one))

        async def waiting() -> int:
            return shelf_of(instance).waiting

        await until(waiting, what="the call to be under way")
        cancel = request("notifications/cancelled", None, requestId=7)
        assert (await http.post(url, json=cancel, headers=other)).status_code == 202
        listed = await http.post(url, json=request("tools/list", 8), headers=other)
        assert "shelf_wait" in listed.text
        assert shelf_of(instance).cancelled == 0
        assert (await http.post(url, json=cancel, headers=one)).status_code == 202
        answer = await asyncio.wait_for(call, scaled(10))
        assert shelf_of(instance).cancelled == 1
        line = next(line for line in answer.text.splitlines() if line.startswith("data: {"))
        assert json.loads(line[6:])["error"]["code"] == -32800


async def test_a_session_that_ended_is_404_and_one_of_before_a_restart_is_served() -> None:
    instance = shelved()
    async with serving(instance) as (url, http):
        own = {"Mcp-Session-Id": await hello(http, url)}
        assert (await http.delete(url, headers=own)).status_code == 200
        assert (await http.post(url, json=request("tools/list"), headers=own)).status_code == 404
        former = {"Mcp-Session-Id": "0123456789abcdef0123456789abcdef"}
        assert "shelf_list" in (await http.post(url, json=request("tools/list"), headers=former)).text
        assert await hello(http, url, **former) not in ("", former["Mcp-Session-Id"])
        assert (await http.post(url, json=request("tools/list"))).status_code == 200


async def test_who_comes_back_to_a_stream_begins_a_new_one() -> None:
    """Clients name the last event that they saw; nothing is kept for them, which is no fault of theirs."""
    async with serving(shelved()) as (url, http):
        for event in ("17", "", "no-such-event"):
            session = {"mcp-session-id": await hello(http, url)}
            assert session["mcp-session-id"]
            async with http.stream("GET", url, headers={**session, "last-event-id": event}) as answer:
                kind = answer.headers["content-type"]
                assert (answer.status_code, kind) == (200, "text/event-stream")
            assert (await http.post(url, json=request("ping"), headers=session)).status_code == 200


async def test_replicas_keep_no_session() -> None:
    """What is asked of one would be answered to another; a setting says that it is wanted all the same."""
    for runtime, has in (({"state_key": "k" * 32}, False), ({"stateful": False}, False), ({"stateful": True}, True)):
        async with serving(shelved(**runtime)) as (url, http):
            assert bool(await hello(http, url)) is has


async def test_a_full_house_serves_without_a_session() -> None:
    """Who opens thousands of sessions takes nobody else's turn."""
    instance = shelved()
    async with instance.opened():
        app = http_app("shelf", [instance], None)

        async def full(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"Too many open sessions"})

        layer: Any = app  # no setting fills ten thousand sessions, so the layers above them are gone through
        while not hasattr(layer, "apps"):
            layer = layer._app
        found = layer.apps["/mcp"]
        sessions = found.app
        assert isinstance(sessions, Sessions)
        async with served(app) as url, httpx2.AsyncClient(headers=HEADERS) as http:
            at = f"{url}/mcp"
            sessions._most = 2
            one, two = await hello(http, at), await hello(http, at)
            assert one
            assert two
            assert await hello(http, at) == ""
            assert (await http.delete(at, headers={"Mcp-Session-Id": one})).status_code == 200
            assert await hello(http, at), "there is room again"
            sessions._most, sessions._stateful = 10, full
            assert await hello(http, at) == ""
