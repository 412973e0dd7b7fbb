"""Requests as strangers send them: HTTP/1.0, headers that are there twice, what is no JSON-RPC (X7 to X9)."""

import asyncio
import gzip
import json
import logging
import socket
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from kmcp_runtime.engine.assembly import http_app, run_http
from kmcp_runtime.engine.requests import message_fault
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.urls import authority
from tests.ports import free_ports
from tests.runtime.conftest import shelved
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ODD: list[Any] = [None, 1.5, True, [], {}]
SAID: tuple[tuple[str, Any], ...] = (("clientInfo", {"name": "raw", "version": "1"}), ("clientCapabilities", {}))
KIND, BOTH = "Content-Type: application/json", "Accept: application/json, text/event-stream"


async def send(url: str, body: Any, *headers: str, version: str = "1.1", kind: str = KIND) -> tuple[int, str, bytes]:
    """Status, head and the bytes after it, of a request with exactly these headers and those that it must have."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST /mcp HTTP/{version}", kind, BOTH, f"Content-Length: {len(content)}", *headers]
    if not any(each.startswith("Host") for each in headers):
        lines.insert(1, f"Host: 127.0.0.1:{port}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    try:
        async with asyncio.timeout(scaled(10)):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((line[15:] for line in head.splitlines() if line.startswith("content-length")), None)
            rest = await (reader.readexactly(int(length)) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
            if version == "1.0":
                rest += await reader.read()  # only the end of the connection ends it
    finally:
        writer.close()
    return int(head.split()[1]), head, rest


async def test_http_1_0_gets_one_piece_with_its_length() -> None:
    """X7: without chunks, which it does not know; the connection ends."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        for body in (LIST, {**LIST, "method": "initialize"}, b"{"):
            status, head, rest = await send(url, body, version="1.0")
            assert status == (400 if body == b"{" else 200)
            assert "transfer-encoding" not in head
            assert f"content-length: {len(rest)}" in head
            assert "connection: close" in head


@pytest.mark.parametrize(
    "twice",
    [
        ("Host: 127.0.0.1", "Host: evil.example.com"),
        ("Host: 127.0.0.1", "Host: 127.0.0.1"),
        ("Origin: http://127.0.0.1:1", "Origin: http://evil.example.com"),
        (KIND,),
        ("Mcp-Session-Id: a", "Mcp-Session-Id: b"),
        ("Authorization: Bearer a", "Authorization: Bearer b"),
    ],
)
async def test_a_header_that_is_there_twice_is_refused(twice: tuple[str, ...]) -> None:
    """X7: what is before this server may have taken the other one."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        status, _, rest = await send(url, LIST, *twice)
    assert (status, rest) == (
        400,
        f"the request has more than one {twice[0].partition(':')[0].lower()} header\n".encode(),
    )


async def test_a_media_type_is_read_in_any_case() -> None:
    """X7: by RFC 9110; another one is refused in the protocol's own form."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        for kind in ("Content-Type: Application/JSON; charset=UTF-8", "CONTENT-TYPE: application/json ;x=y"):
            assert (await send(url, LIST, kind=kind))[0] == 200
        for kind in ("Content-Type: text/plain", "X-Nothing: here", "Content-Type: application/jsonp"):
            status, _, rest = await send(url, LIST, kind=kind)
            assert (status, json.loads(rest)["error"]["code"]) == (415, -32600)


async def test_whitespace_around_a_value_is_no_part_of_it() -> None:
    """By RFC 9110, also after it, where headers repeat what the body says."""
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in (("protocolVersion", "2026-07-28"), *SAID)}
    call = {**LIST, "method": "tools/call", "params": {"name": "shelf_list", "arguments": {}, "_meta": meta}}
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        for space in ("", " ", "  \t "):
            named = (f"Mcp-Method:{space}tools/call{space}", f"Mcp-Name:{space}shelf_list{space}")
            status, _, rest = await send(url, call, f"MCP-Protocol-Version: 2026-07-28{space}", *named)
            assert (status, b"HeaderMismatch" in rest, b'"error"' in rest) == (200, False, False), rest


@pytest.mark.parametrize("revision", ["", "MCP-Protocol-Version: 2026-07-28"])
async def test_what_is_no_message_is_refused_by_json_rpc(revision: str) -> None:
    """X7, X8: with its code, with the id where it can be read, and in words without another project's links."""
    wrong: list[tuple[Any, int, Any]] = [
        *(({**LIST, "id": odd}, -32600, None) for odd in ODD),
        ({"jsonrpc": "2.0", "id": 1}, -32600, 1),
        ({**LIST, "method": 5}, -32600, 1),
        ({**LIST, "jsonrpc": "1.0", "id": "a"}, -32600, "a"),
        ({**LIST, "params": [1]}, -32602, 1),
        ([LIST], -32600, None),
        ([], -32600, None),
        (5, -32600, None),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": ""}}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "error": "boom"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "result": None}, -32600, 1),
        *(({**LIST, "method": f"{kind}/list", "params": {"cursor": "x"}}, -32602, 1) for kind in ("tools", "prompts")),
        ({**LIST, "method": "tools/call", "params": {}}, -32602, 1),
        ({**LIST, "method": "tools/call", "params": {"name": 5}}, -32602, 1),
        ({**LIST, "method": "tools/call", "params": {"name": "shelf_list", "arguments": "{}"}}, -32602, 1),
        ({**LIST, "method": "tools/call", "params": {"name": "shelf_list", "arguments": [1]}}, -32602, 1),
        (b"{", -32700, None),
        (b"\xff", -32700, None),
        (b'{"a":"\\ud800"}', -32700, None),
        (b'{"id":7,"a":"\\ud800"}', -32700, 7),
        (b'{"id":8,"a":"\xff"}', -32700, 8),
        (b"[" * 5000, -32700, None),
    ]
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        for body, code, id_ in wrong:
            status, _, rest = await send(url, body, *([revision] if revision else []))
            answer = json.loads(rest)
            assert (status, answer["id"], answer["error"]["code"]) == (400, id_, code), body
            assert "http" not in answer["error"]["message"]
            assert len(answer["error"]["message"]) < 100


async def test_params_that_are_null_are_absent() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        for params in (None, {"cursor": None}, {"cursor": ""}):
            status, _, rest = await send(url, {**LIST, "params": params})
            assert (status, b"shelf_put" in rest) == (200, True)


async def test_a_request_that_is_too_large_is_refused_before_it_is_read() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        status, _, rest = await send(url, b'{"a": "' + b"x" * (5 * 2**20) + b'"}')
    assert (status, json.loads(rest)["error"]["message"]) == (413, "the request has more than 4 MiB")


async def test_who_sends_too_much_at_once_reads_why() -> None:
    """Closed in the middle, the connection would be reset, and the answer lost with it."""
    body = b'{"a": "' + b"x" * (20 * 2**20) + b'"}'

    def sent_whole(port: int) -> bytes:
        host = f"Host: 127.0.0.1:{port}\r\nConnection: close"
        head = f"POST /mcp HTTP/1.1\r\n{host}\r\n{KIND}\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=scaled(30)) as connection:
            connection.sendall(head.encode() + body)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        answer = await asyncio.to_thread(sent_whole, int(url.rpartition(":")[2]))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"the request has more than 4 MiB" in answer


async def test_a_packed_body_is_refused_as_such() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        status, _, rest = await send(url, gzip.compress(json.dumps(LIST).encode()), "Content-Encoding: gzip")
        assert (status, "Content-Encoding" in json.loads(rest)["error"]["message"]) == (415, True)
        assert (await send(url, LIST, "Content-Encoding: identity"))[0] == 200


async def test_a_list_in_two_lines_is_one() -> None:
    """By RFC 9110; what is accepted is such a list."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as http:
        for first, second in (("application/json", "text/event-stream"), ("text/event-stream;q=0.5", "*/*")):
            headers = [("Content-Type", "application/json"), ("Accept", first), ("Accept", second)]
            assert (await http.post(f"{url}/mcp", content=json.dumps(LIST), headers=headers)).status_code == 200


async def test_a_request_of_many_values_is_refused_before_it_is_read() -> None:
    """Signs of values inside of texts are none: a manifest may be in JSON."""
    instance = shelved()
    arguments = {"name": "x" * 100_000 + "[]," * 300_000}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "shelf_read", "arguments": arguments}}
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        status, _, rest = await send(url, b'{"jsonrpc": "2.0", "id": 1, "params": [' + b"[]," * 300_000 + b"1]}")
        assert (status, json.loads(rest)["error"]["message"]) == (413, "the request has more than 200,000 values")
        status, _, rest = await send(url, call)
        assert status != 413, rest


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["code", "message", "a"]), inner),
    max_leaves=4,
)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | values},
    optional={"id": values, "method": st.just("ping") | values, "params": values, "result": values, "error": values},
)


@given(messages | values)
@settings(deadline=None, max_examples=300)
def test_what_passes_is_read_behind(message: Any) -> None:
    """X8: nothing comes to the library that it would refuse in its own words."""
    if message_fault(message) is None:
        try:
            jsonrpc_message_adapter.validate_python(message, by_name=False)
        except ValidationError as error:
            raise AssertionError(f"{message} is refused: {error}") from error


async def test_a_foreign_host_and_origin_are_told_what_to_set() -> None:
    """X8."""
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        status, _, rest = await send(url, LIST, "Host: evil.example.com")
        assert (status, b"KMCP_ALLOWED_HOSTS" in rest) == (421, True)
        status, _, rest = await send(url, LIST, "Origin: http://evil.example.com")
        assert (status, b"KMCP_ALLOWED_ORIGINS" in rest) == (403, True)


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_only_what_is_there_is_declared(version: str) -> None:
    """X9: tools, in a list that stays; no prompts, resources or log for which a client would ask."""
    instance = shelved()
    envelope = {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}}
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    modern = version == "2026-07-28"
    method, params = ("server/discover", {"_meta": envelope}) if modern else ("initialize", hello)
    headers = ["MCP-Protocol-Version: 2026-07-28", f"Mcp-Method: {method}"] if modern else []
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        _, _, rest = await send(url, {**LIST, "method": method, "params": params}, *headers)
    line = next(line for line in rest.splitlines() if b'"result"' in line)
    assert json.loads(line[line.index(b"{") :])["result"]["capabilities"] == {"tools": {}}


async def test_it_says_where_it_serves_once_it_does(caplog: pytest.LogCaptureFixture) -> None:
    """X8: with the address in brackets where it is one of IPv6."""
    caplog.set_level(logging.INFO)
    (port,) = free_ports(1)
    instance = shelved(host="::1", management_port=0)
    task = asyncio.create_task(run_http("shelf", [instance], port))

    async def told() -> str:
        return next((each.getMessage() for each in caplog.records if "serves" in each.getMessage()), "")

    try:
        text = await until(told, bool, what="the line")
        assert text.endswith(f"at http://[::1]:{port}/mcp")
        async with httpx2.AsyncClient(trust_env=False) as http:
            headers = dict(each.split(": ") for each in (KIND, BOTH))
            assert (await http.post(f"http://[::1]:{port}/mcp", json=LIST, headers=headers)).status_code == 200
        with pytest.raises(SettingsError, match=rf"cannot listen on \[::1\]:{port} "):
            await run_http("shelf", [shelved(host="::1", management_port=0)], port)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert authority("127.0.0.1", 1) == "127.0.0.1:1"
