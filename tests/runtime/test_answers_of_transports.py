"""A2 over every transport that can carry a question: nothing but the one yes destroys, nor does who goes away."""

import json
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.engine.assembly import http_app
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.runtime.raw_answers import LEGACY, MODERN, failure_of, raw_client
from tests.runtime.raw_stdio import stdio_client
from tests.runtime.test_answers import MODES, NO_YES, REVISIONS, YES
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

BOOK = {"name": "moby"}
REPLIES = [
    {},
    {"content": {"ok": True}},
    {"action": "accept"},
    YES | {"action": "decline"},
    YES | {"action": "cancel"},
    *({"action": "accept", "content": content} for content in NO_YES),
]


@REVISIONS
@MODES
async def test_A2_over_stdio_nothing_but_true_is_a_yes(revision: str, approval: str, tmp_path: Path) -> None:
    kept = tmp_path / "books"
    async with stdio_client(revision, kept, "--approval", approval) as client:
        for reply in REPLIES:
            error = failure_of(await client.call("shelf_burn", BOOK, reply))
            assert error["code"] != "internal", reply
            assert "approval" not in error
    assert json.loads(kept.read_text()) == {"moby": "dick"}
    async with stdio_client(revision, kept, "--approval", approval) as client:
        message = await client.call("shelf_burn", BOOK, YES)
        assert message["result"]["structuredContent"]["result"] == "burnt"
    assert json.loads(kept.read_text()) == {}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "",
        "null",
        '"yes"',
        '{"jsonrpc": "2.0", "id": 999, "result": {"action": "accept", "content": {"ok": true}}}',
        '{"jsonrpc": "2.0", "result": {"action": "accept", "content": {"ok": true}}}',
        '{"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "1"}}',
    ],
)
async def test_A2_over_stdio_what_is_no_answer_is_no_yes(line: str, tmp_path: Path) -> None:
    kept = tmp_path / "books"
    async with stdio_client(LEGACY, kept) as client:

        def decline(number: Any) -> str:
            return json.dumps({"jsonrpc": "2.0", "id": number, "result": {"action": "decline"}})

        message = await client.call_answering("shelf_burn", BOOK, [lambda number: line, decline])
        assert failure_of(message)["code"] == "denied"
    assert json.loads(kept.read_text()) == {"moby": "dick"}


async def test_A2_over_stdio_an_error_is_no_yes(tmp_path: Path) -> None:
    kept = tmp_path / "books"
    async with stdio_client(LEGACY, kept) as client:
        for error in ({"code": -32601, "message": "no such method"}, {"code": 0, "message": '{"ok": true}'}):

            def refuse(number: Any, error: dict[str, Any] = error) -> str:
                return json.dumps({"jsonrpc": "2.0", "id": number, "error": error})

            assert failure_of(await client.call_answering("shelf_burn", BOOK, [refuse]))["code"] == "denied"
    assert json.loads(kept.read_text()) == {"moby": "dick"}


@REVISIONS
async def test_A2_who_leaves_before_answering_said_no(revision: str, tmp_path: Path) -> None:
    kept = tmp_path / "books"
    async with stdio_client(revision, kept) as client:
        await client.ask_and_leave("shelf_burn", BOOK)
    assert json.loads(kept.read_text()) == {"moby": "dick"}


@MODES
async def test_A2_over_stateful_http_the_newer_revision_asks_too(approval: str) -> None:
    instance = shelved(stateful=True, approval=approval)
    async with (
        instance.opened(),
        served(http_app("shelf", [instance], None)) as url,
        raw_client(url, MODERN) as client,
    ):
        books = shelf_of(instance).books
        books["moby"] = "dick"
        for reply in REPLIES:
            assert failure_of(await client.call("shelf_burn", BOOK, reply))["code"] != "internal", reply
            assert books == {"moby": "dick"}, reply
        assert (await client.call("shelf_burn", BOOK, YES))["result"]["structuredContent"]["result"] == "burnt"


async def test_A2_over_http_who_drops_the_stream_of_the_question_said_no() -> None:
    instance = shelved(stateful=True, timeout=scaled(2))
    async with (
        instance.opened(),
        served(http_app("shelf", [instance], None)) as url,
        raw_client(url, LEGACY) as client,
    ):
        books = shelf_of(instance).books
        books["moby"] = "dick"
        await client.ask_and_leave("shelf_burn", BOOK)

        async def ended() -> bool:
            return 'kmcp_tool_in_flight{server="shelf",tool="shelf_burn"} 0.0' in instance.metrics.exposition().decode()

        await until(ended, what="the end of the call")
        assert books == {"moby": "dick"}


async def test_A1_a_token_in_a_wrong_place_changes_nothing_and_begets_nothing() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = shelf_of(instance).books
        books |= {"moby": "dick", "emma": "woodhouse"}
        token = (await caller.fails("shelf_burn", **BOOK))["approval"]
        wrong: list[dict[str, Any]] = [
            {"name": token},
            {**BOOK, "room": token},
            {**BOOK, "dry_run": token},
            {**BOOK, "approvals": token},
            {**BOOK, "approval": [token]},
            {**BOOK, "approval": {"token": token}},
            {**BOOK, "approval": f"token {token}"},
            {**BOOK, "approval": token[:-1]},
            {**BOOK, "approval": token + "A"},
            {**BOOK, "approval": token.upper()},
        ]
        for arguments in wrong:
            error = await caller.fails("shelf_burn", **arguments)
            assert "approval" not in error, arguments
            assert "plan" not in error, arguments
        assert "different arguments" in (await caller.fails("shelf_tidy", action="clear", approval=token))["message"]
        assert set(books) == {"moby", "emma"}
        # None of these was a use of it.
        await caller.ok("shelf_burn", **BOOK, approval=token)
        assert set(books) == {"emma"}
