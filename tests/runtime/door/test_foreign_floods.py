"""What a foreign server sends that would harm a client: pictures that are none, and floods of progress."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.types import Send

from tests.runtime.door.foreigners import Program, beside, listed, respond

PICTURE = base64.b64encode(b"\x89PNG\r\n").decode()
SPOILED: list[tuple[str, Any, Any]] = [
    ("image", "!!", "image/png"),
    ("image", PICTURE[:-1], "image/png"),
    ("image", "", "image/png"),
    ("image", PICTURE, "x"),
    ("image", PICTURE, "text/html"),
    ("image", PICTURE, "image/png\nx"),
    ("image", PICTURE, 5),
    ("image", None, "image/png"),
    ("audio", PICTURE, "image/png"),
]


async def test_a_picture_that_is_none_is_left_out(tmp_path: Path) -> None:
    """A model's interface refuses the whole conversation for one, again with each further message."""
    program = Program()
    good = [("image", PICTURE, "image/png"), ("image", PICTURE, "image/svg+xml"), ("audio", PICTURE, "audio/wav")]
    in_lines = ("image", f"{PICTURE[:4]}\r\n{PICTURE[4:]}\n", "image/png")

    async def act(asked: Any, send: Send) -> None:
        blocks = [{"type": kind, "data": data, "mimeType": mime} for kind, data, mime in [*good, *SPOILED, in_lines]]
        await respond(send, {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": blocks}})

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        _, *blocks = (await client.call_tool("program_act", {})).content
    passed = [(each.type, each.data, each.mime_type) for each in blocks if each.type != "text"]
    assert passed == [*good, good[0]]
    assert sum("left out" in each.text for each in blocks if each.type == "text") == len(SPOILED)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_flood_of_progress_is_thinned(tmp_path: Path, mode: Any) -> None:
    """The first ones come at once, in order, and the answer after them."""
    program, heard = Program(), list[float]()

    async def act(asked: Any, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        token = asked["params"]["_meta"]["progressToken"]
        for number in range(3000):
            params = {"progressToken": token, "progress": number}
            text = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})
        result = {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": [{"type": "text", "text": "done"}]}}
        await send({"type": "http.response.body", "body": f"data: {json.dumps(result)}\n\n".encode()})

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append(done)

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url, mode=mode) as client:
        await listed(client, "program_act")
        assert not (await client.call_tool("program_act", {}, progress_handler=hear)).is_error
    assert heard[:20] == list(range(20))
    assert heard == sorted(heard)
    assert len(heard) < 1000
