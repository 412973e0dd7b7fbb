"""No value of an argument beyond the target is in any line: of any tool of any server, answered, failed or refused."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_runtime import ToolSpec, redaction
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.audit import TARGET_WORDS
from tests.audit.making import calls, records
from tests.fuzz.calls import usual_arguments
from tests.fuzz.worlds import SERVERS, world
from tests.runtime.conftest import connected, shelved
from tests.runtime.test_auth import HEADERS
from tests.serving import served

PLANT = "zebra-crossing"
"""An ordinary name, which nothing would hide for its looks."""


def planted(declared: ToolSpec) -> Iterator[dict[str, Any]]:
    """Calls of the tool that hold the plant: in each argument beside the usual ones, and in all of them at once."""
    properties = declared.input_schema()["properties"]
    usual = usual_arguments(declared)
    free = {name: _value(schema) for name, schema in properties.items() if name not in TARGET_WORDS}
    yield usual | free
    # One at a time, since one that is refused would keep the others from being looked at.
    for name, value in free.items():
        yield usual | {name: value}
    yield {**usual, "zebra": PLANT, f"of-{PLANT}": 1}


def _value(schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "string")
    return {"array": [PLANT], "object": {PLANT: PLANT}, "string": PLANT}.get(kind, PLANT)


@pytest.mark.parametrize("server", sorted(SERVERS))
async def test_no_argument_is_in_the_line_of_its_call(server: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    made = 0
    async with world(server, tmp_path, audit=True, audit_file=str(path)) as found:
        for declared in SERVERS[server].tools():
            for arguments in planted(declared):
                await found.client.call_tool(declared.name, arguments, raise_on_error=False)
                made += 1
    lines = calls(records(path.read_text()))
    # Names of objects that the call met are what it is about, whichever argument led there (`rollout_name`).
    shown = [json.dumps({**line, "objects": [each.get("uid") for each in line.get("objects", ())]}) for line in lines]
    assert [line for line in shown if PLANT in line] == []
    # None of a flood is left out, as none was denied.
    assert len(lines) == made
    assert {line["tool"] for line in lines} == {declared.name for declared in SERVERS[server].tools()}
    # A tool that the settings leave out is known by its name alone.
    assert all(line["server"] == "-" or line["arguments"].startswith("sha256:") for line in lines)


async def test_credentials_in_the_target_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"https://{PLANT}:{PLANT}@example.com:8443/a.yaml?key={PLANT}#{PLANT}"
    async with connected(shelved()) as caller:
        await caller.fails("shelf_read", name="web", url=address, uid="password=hunter2-and-more")
        await caller.fails("shelf_read", name="web", url=f"https://[{PLANT}", namespace={"a": PLANT})
    err = capsys.readouterr().err
    first, second = calls(records(err))
    assert first["target"]["url"] == "https://example.com:8443/a.yaml"
    assert "hunter2" not in err
    assert PLANT not in json.dumps(first)
    assert second["target"] == {"name": "web", "url": "an address that cannot be read"}
    assert PLANT not in json.dumps(second)


async def test_a_secret_at_the_end_of_a_long_target_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "Jackdaws-7-love-my-big-sphinx-of-quartz"
    redaction.learn(secret)
    async with connected(shelved()) as caller:
        for before in range(90, 130):
            await caller.fails("shelf_read", name="web", uid="x" * (before - 1) + " " + secret)
    err = capsys.readouterr().err
    assert len(calls(records(err))) == 40
    assert secret[:6] not in err


async def test_nothing_of_a_refused_request_is_told_but_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved(allowed_hosts="shelf.example")
    headers = HEADERS | {"Authorization": f"Bearer {PLANT}", "User-Agent": PLANT, "Cookie": PLANT, "X-Any": PLANT}
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as client:
        for more in ({}, {"Origin": "http://evil.example"}, {"Content-Type": PLANT}):
            body = json.dumps({"jsonrpc": "2.0", "id": PLANT, "method": 7, "params": {"name": PLANT}})
            kind = {"Content-Type": "application/json"}
            answer = await client.post(f"{url}/mcp?{PLANT}={PLANT}", content=body, headers=headers | kind | more)
            assert answer.status_code in (400, 403, 415)
    err = capsys.readouterr().err
    assert len(records(err)) == 3
    assert PLANT not in err
