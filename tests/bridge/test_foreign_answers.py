"""What a process answers that it should not: it harms the one request that it belongs to (B1 to B4, B6, B7)."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_bridge.answers import RpcError, number_of, unwrap
from kmcp_bridge.framing import Broken, Noise, encode, read_messages
from tests.bridge.conftest import Bridge, Start, program
from tests.slowness import scaled
from tests.waiting import until

JSON = {"accept": "application/json", "content-type": "application/json"}


def strict(text: str) -> Any:
    """JSON as others read it: without NaN and Infinity, which Python would take."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


async def send(bridge: Bridge, body: Any, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, headers=JSON | headers, timeout=scaled(60)) as http:
        return await http.post(bridge.url, json=body)


async def call(bridge: Bridge, tool: str) -> dict[str, Any]:
    params = {"name": tool, "arguments": {}}
    answer = await send(bridge, {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params})
    found = strict(answer.text)
    assert (answer.status_code, found["jsonrpc"], found["id"]) == (200, "2.0", 9)
    assert isinstance(found, dict)
    return found


FAILURES = {
    "error_text": "boom",
    "error_number": "answered with an error: 5",
    "error_empty": "an error without a message",
    "error_wrong_fields": '["no"]',
    "error_and_result": "no",
    "result_null": "neither a result nor an error",
    "result_list": "a result that is no object: [1]",
    "nothing": "neither a result nor an error",
    "bad_byte": "not UTF-8",
    "bad_json": "not valid JSON",
    "deep": "nested deeper than",
    "huge": "longer than 16777216 bytes (KMCP_BRIDGE_LARGEST_ANSWER)",
    "huge_last": "longer than 16777216 bytes (KMCP_BRIDGE_LARGEST_ANSWER)",
}


async def test_a_bad_answer_fails_its_request_alone(start: Start) -> None:
    """B1, B2, B4: each is an error of JSON-RPC in plain words, and the process goes on for everybody."""
    bridge = await start(*program("broken")).ready()
    for tool, words in FAILURES.items():
        error = (await call(bridge, tool))["error"]
        assert isinstance(error["code"], int), tool
        assert words in error["message"], tool
        assert "Separator" not in error["message"]
        assert (await call(bridge, "fine"))["result"]["content"][0]["text"] == "fine"
    assert await bridge.metric("kmcp_bridge_process_starts ") == 1


async def test_an_odd_answer_that_can_be_read_is_read(start: Start) -> None:
    """B3, B4: a number that JSON has not becomes null; an id as text, several lines and a batch are understood."""
    bridge = await start(*program("broken")).ready()
    for tool in ("pretty", "id_as_text", "id_as_float", "error_null", "batch", "noise"):
        assert (await call(bridge, tool))["result"]["content"][0]["text"] == "fine", tool
    for tool in ("not_a_number", "infinite"):
        assert (await call(bridge, tool))["result"]["structuredContent"] == {"x": None}
    # Of 100,000 lines the log has a share, however long they take here.
    assert bridge.log().count("WARNING something, again and again") < 10_000
    listed = await send(bridge, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    names = [tool["name"] for tool in listed.json()["result"]["tools"]]
    assert len(names) == len(set(names)) > 20
    assert "no_schema" not in names
    assert "too many lines at a time" in bridge.log()
    assert "4 tools are left out" in bridge.log()


async def test_no_answer_is_a_failure_in_time(start: Start) -> None:
    """B4: a deadline always, and nothing stays counted once the client has gone."""
    bridge = await start(*program("broken"), KMCP_BRIDGE_TIMEOUT="1").ready()
    for tool in ("silent", "lost"):
        error = (await call(bridge, tool))["error"]
        assert error["code"] == -32001
        assert "did not answer tools/call within 1 s" in error["message"]
    leaving = asyncio.create_task(call(bridge, "silent"))

    async def under_way() -> float:
        return await bridge.metric("kmcp_bridge_in_flight ")

    await until(under_way, lambda count: count == 1, what="the call to begin")
    leaving.cancel()
    await until(under_way, lambda count: count == 0, what="the end of the call that nobody waits for")


async def test_a_late_identity_counts_although_the_handshake_was_refused(start: Start) -> None:
    """B6: a slow server of one era only; its name that is no text is left out."""
    bridge = await start(*program("broken", "slow-modern"), KMCP_BRIDGE_HANDSHAKE="20").ready()
    assert await bridge.metric("kmcp_bridge_process_starts ") == 1
    introduced = await send(bridge, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    result = introduced.json()["result"]
    assert isinstance(result["serverInfo"]["name"], str)
    assert "instructions" not in result


async def test_a_batch_is_answered_as_one(start: Start) -> None:
    """B7: revision 2025-03-26 has batches; the revisions after it have not."""
    bridge = await start(*program("broken")).ready()
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool}}
        for number, tool in enumerate(("fine", "error_text"))
    ]
    odd = [{"jsonrpc": "2.0", "method": "notifications/initialized"}, 7, {"jsonrpc": "2.0", "id": 5, "method": 5}]
    answers = (await send(bridge, [*calls, *odd])).json()
    assert [each["id"] for each in answers] == [0, 1, None, 5]
    assert answers[0]["result"]["content"][0]["text"] == "fine"
    assert [each["error"]["code"] for each in answers[1:]] == [-32603, -32600, -32600]
    assert (await send(bridge, odd[:1])).status_code == 202
    assert (await send(bridge, [])).status_code == 400
    assert (await send(bridge, calls, **{"mcp-protocol-version": "2025-06-18"})).status_code == 400


async def test_an_ended_session_stays_ended(start: Start) -> None:
    """B7: 404 after DELETE, so that the client starts anew."""
    bridge = await start(*program("broken")).ready()
    opened = await send(bridge, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    async with httpx2.AsyncClient(trust_env=False, headers=JSON | session) as http:
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert (await http.post(bridge.url, json=ping)).status_code == 200
        assert (await http.delete(bridge.url)).status_code == 200
        assert (await http.post(bridge.url, json=ping)).status_code == 404
        assert (await http.delete(bridge.url)).status_code == 404


class Chunks:
    """A stream that gives its bytes in pieces of one size."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    async def read(self, n: int) -> bytes:
        piece, self._content = self._content[: self._size], self._content[self._size :]
        return piece


async def framed(content: bytes, size: int, largest: int = 2000) -> list[Any]:
    async def all_of(found: AsyncIterator[Any]) -> list[Any]:
        return [each async for each in found]

    return await all_of(read_messages(Chunks(content, size), largest))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, max_size=5), st.integers(1, 40), st.sampled_from([None, 1, 4]))
@settings(deadline=None)
def test_whatever_is_written_comes_out_however_it_is_cut(messages: list[Any], size: int, indent: int | None) -> None:
    written = [{"jsonrpc": "2.0", "result": each} for each in messages]
    content = b"".join(json.dumps(each, indent=indent).encode() + b"\r\n" for each in written)
    found = asyncio.run(framed(content, size, largest=1_000_000))
    assert [encode(each) for each in found] == [encode(each) for each in written]
    for each in found:
        strict(encode(each).decode())


@given(st.binary(max_size=400), st.integers(1, 40), st.integers(10, 100))
@settings(deadline=None)
def test_no_bytes_stop_the_reader(content: bytes, size: int, largest: int) -> None:
    valid = b'\n{"jsonrpc":"2.0","id":3,"result":{}}\n'
    found = asyncio.run(framed(content + valid, size, max(largest, len(valid))))
    assert found[-1] == {"jsonrpc": "2.0", "id": 3, "result": {}}
    assert all(isinstance(each, dict | Broken | Noise) for each in found)


@given(st.dictionaries(st.sampled_from(["id", "error", "result", "jsonrpc"]), values))
def test_a_response_is_a_result_or_a_failure(message: dict[str, Any]) -> None:
    try:
        assert unwrap(message) == message["result"]
        assert message.get("error") is None
    except RpcError as error:
        body = strict(encode(error.body()).decode())
        assert isinstance(body["code"], int)
        assert body["message"]


@pytest.mark.parametrize(
    ("given_id", "number"),
    [(1, 1), ("1", 1), (1.0, 1), (True, None), (1.5, None), ("x", None), (None, None), ([1], None), (math.inf, None)],
)
def test_ids_as_servers_write_them(given_id: Any, number: int | None) -> None:
    assert number_of(given_id) == number
