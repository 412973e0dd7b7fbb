"""Clients that begin a request and never end it (N5): they are let go, and others are answered meanwhile."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime.connections import Limits
from tests.serving import served
from tests.slowness import scaled

HALVES = {
    "nothing": b"",
    "blank lines": b"\r\n\r\n",
    "half a line": b"POST /mc",
    "half of the headers": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    "half of the body": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
    "half of a chunk": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na",
}
WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def _answer(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@asynccontextmanager
async def _served(limits: Limits) -> AsyncIterator[tuple[str, int]]:
    app = Starlette(routes=[Route("/", _answer, methods=["GET", "POST"])])
    async with served(app, lifespan="off", limits=limits) as url:
        yield url, int(url.rsplit(":", 1)[1])


@asynccontextmanager
async def _begun(port: int, *sent: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that have sent this and then nothing."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in sent]
    try:
        for (_, writer), text in zip(opened, sent, strict=True):
            writer.write(text)
            await writer.drain()
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def _end(reader: asyncio.StreamReader) -> bytes:
    """What still came before the other side closed the connection."""
    try:
        async with asyncio.timeout(scaled(10)):
            return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
async def test_who_does_not_end_a_request_is_let_go(sent: bytes) -> None:
    async with _served(Limits(request_seconds=0.2)) as (_, port), _begun(port, sent) as (reader,):
        assert await _end(reader) == b""


async def test_who_begins_a_second_request_and_does_not_end_it_is_let_go() -> None:
    async with _served(Limits(request_seconds=0.2)) as (_, port), _begun(port, WHOLE + WHOLE[:9]) as (reader,):
        assert (await _end(reader)).endswith(b"\r\n\r\n0")


async def test_who_sends_byte_by_byte_has_no_more_time() -> None:
    async with _served(Limits(request_seconds=0.2)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALVES["half of the headers"])
        ended = asyncio.create_task(_end(reader))
        async with asyncio.timeout(scaled(10)):
            while not ended.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        writer.close()
        assert await ended == b""


async def test_headers_without_end_are_cut_off() -> None:
    async with _served(Limits(request_seconds=600)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000)
        assert await _end(reader) == b""
        writer.close()


async def test_a_request_that_has_arrived_has_its_time() -> None:
    """The answer takes longer than the request may: the deadline is that of reading alone."""

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.6)  # longer than the deadline below
        return PlainTextResponse("late")

    app = Starlette(routes=[Route("/", slow)])
    async with served(app, lifespan="off", limits=Limits(request_seconds=0.2)) as url, httpx2.AsyncClient() as http:
        assert (await http.get(url, timeout=scaled(10))).text == "late"
        assert (await http.get(url, timeout=scaled(10))).text == "late"


async def test_half_open_connections_do_not_keep_others_out() -> None:
    sent = [HALVES["half of the body"], HALVES["half of the headers"], HALVES["nothing"], WHOLE] * 5
    async with _served(Limits(connections=8)) as (url, port), _begun(port, *sent) as readers:
        async with httpx2.AsyncClient(timeout=scaled(10)) as http:
            for _ in range(3):
                assert (await http.post(url, content=b"abc")).text == "3"
        assert await _end(readers[0]) == b""


def test_the_limit_leaves_file_descriptors_for_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 256))
    assert Limits().within_descriptors().connections == 128
    assert Limits(connections=10).within_descriptors().connections == 10
