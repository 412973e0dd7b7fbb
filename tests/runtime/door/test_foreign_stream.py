"""What a foreign server does on the stream that the door listens to: bounded, and at the pace of the door."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from fastmcp import Client
from starlette.types import Receive, Send

from kmcp_runtime.engine import foreign_server
from kmcp_runtime.foreign.conversation import LARGEST_ANSWER
from tests.runtime.door.foreigners import CHANGED, Program, beside, listed
from tests.slowness import scaled
from tests.waiting import until

_PIECE = 1 << 20
_MOST_PIECES = 256


@pytest.mark.parametrize("piece", [b"a" * _PIECE, b"data: aaaaaaaaa\n" * (_PIECE // 16)], ids=["line", "event"])
async def test_an_event_without_an_end_ends_the_stream_which_comes_back(tmp_path: Path, piece: bytes) -> None:
    program, sent = Program(legacy=True), 0

    async def endless(send: Send, receive: Receive) -> None:
        nonlocal sent
        program.stream = program._tell_news  # whoever comes back
        gone = asyncio.ensure_future(receive())
        while not gone.done() and sent < _MOST_PIECES:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)  # without a client nothing waits in `send`
            sent += 1
        gone.cancel()

    program.stream = endless
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        program.tools = [{**program.tools[0], "name": "other"}]
        program.news.set()
        async with asyncio.timeout(scaled(20)):
            await listed(client, "program_other", gone=["program_act"])
    # Some is on its way between the two.
    assert LARGEST_ANSWER // _PIECE <= sent < 2 * LARGEST_ANSWER // _PIECE


async def test_a_storm_of_changes_does_not_set_the_pace_and_the_last_one_is_not_lost(tmp_path: Path) -> None:
    program, calm = Program(legacy=True), asyncio.Event()

    async def storm(send: Send, receive: Receive) -> None:
        while not calm.is_set():
            await send({"type": "http.response.body", "body": CHANGED * 10, "more_body": True})
            await asyncio.sleep(0)
        program.tools = [{**program.tools[0], "name": "last"}]
        await send({"type": "http.response.body", "body": CHANGED, "more_body": True})
        await receive()

    program.stream = storm
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")

        async def looked_again() -> bool:
            return len(program.listed_at) >= 3

        await until(looked_again)
        calm.set()
        async with asyncio.timeout(scaled(20)):
            await listed(client, "program_last", gone=["program_act"])
    gaps = [later - earlier for earlier, later in pairwise(program.listed_at)]
    assert min(gaps) > 0.8 * foreign_server.RELIST_SECONDS, gaps
