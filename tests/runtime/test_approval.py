"""No destruction without a yes: who is asked how, and which tokens are good for what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.approval import Approvals
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.sealing import GOOD_FOR_SECONDS, Seal
from kmcp_runtime.engine.single_use import UsedInProcess
from tests.mcp import ToolCaller
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.serving import served
from tests.trust import Trust

BOOK = {"name": "moby"}
Mode = Any


def stocked(instance: ConfiguredServer) -> dict[str, str]:
    shelf_of(instance).books = {"moby": "dick", "emma": "woodhouse"}
    return shelf_of(instance).books


async def test_without_a_yes_nothing_is_destroyed_and_the_plan_is_shown() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = stocked(instance)
        error = await caller.fails("shelf_burn", **BOOK)
        assert error["code"] == "approval_required"
        assert "moby" in books
        assert error["plan"]["name"] == "moby"
        assert "-text: dick" in error["plan"]["diff"]
        assert (await caller.ok("shelf_burn", **BOOK, approval=error["approval"]))["result"] == "burnt"
        assert "moby" not in books


async def test_a_dry_run_never_asks() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        stocked(instance)
        assert (await caller.ok("shelf_burn", **BOOK, dry_run=True))["dry_run"] is True


async def test_approval_follows_the_value_of_the_argument_that_decides() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        stocked(instance)
        assert (await caller.ok("shelf_tidy", action="count"))["result"] == "count"
        assert (await caller.ok("shelf_tidy", action="sort"))["result"] == "sort"
        assert (await caller.fails("shelf_tidy", action="clear"))["code"] == "approval_required"


async def test_a_token_is_good_once(trust: Trust) -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = stocked(instance)
        token = (await caller.fails("shelf_burn", **BOOK))["approval"]
        await caller.ok("shelf_burn", **BOOK, approval=token)
        books["moby"] = "dick"
        error = await caller.fails("shelf_burn", **BOOK, approval=token)
        assert "has been used" in error["message"]
        assert "moby" in books
        trust.count("approvals", "tokens that were used", refused=1, tried=1)


async def test_a_token_is_bound_to_its_arguments_tool_and_plan(trust: Trust) -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = stocked(instance)
        token = (await caller.fails("shelf_burn", **BOOK))["approval"]
        assert "different arguments" in (await caller.fails("shelf_burn", name="emma", approval=token))["message"]
        assert "different arguments" in (await caller.fails("shelf_tidy", action="clear", approval=token))["message"]
        books["moby"] = "a longer dick"
        assert "has changed since" in (await caller.fails("shelf_burn", **BOOK, approval=token))["message"]
        assert set(books) == {"moby", "emma"}
        trust.count("approvals", "tokens of other arguments, tools or states", refused=3, tried=3)


@pytest.mark.parametrize("token", ["x", "AAAA" * 20, "not base64 at all !"])
async def test_a_forged_token_is_none(token: str, trust: Trust) -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = stocked(instance)
        error = await caller.fails("shelf_burn", **BOOK, approval=token)
        assert error["code"] == "approval_required"
        assert "not one of this server's" in error["message"]
        assert "moby" in books
        trust.count("approvals", "tokens that were forged", refused=1, tried=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_token_expires(trust: Trust) -> None:
    clock = Clock()
    seal = Seal(None, clock)
    instance = shelved(replace(Process.of(RuntimeSettings()), approvals=Approvals("plan", seal, UsedInProcess(seal))))
    async with connected(instance) as caller:
        books = stocked(instance)
        token = (await caller.fails("shelf_burn", **BOOK))["approval"]
        clock.now += GOOD_FOR_SECONDS + 1
        assert "has expired" in (await caller.fails("shelf_burn", **BOOK, approval=token))["message"]
        assert "moby" in books
        trust.count("approvals", "tokens that are old", refused=1, tried=1)


async def test_A1_a_bad_token_begets_neither_a_token_nor_a_plan() -> None:
    instance = shelved()
    async with connected(instance) as caller:
        books = stocked(instance)
        used = (await caller.fails("shelf_burn", **BOOK))["approval"]
        other = (await caller.fails("shelf_burn", name="emma"))["approval"]
        await caller.ok("shelf_burn", **BOOK, approval=used)
        books["moby"] = "dick"
        for bad in ("x", "AAAA" * 20, used, other):
            error = await caller.fails("shelf_burn", **BOOK, approval=bad)
            assert error["code"] == "approval_required"
            assert error["hint"] == "call again without approval"
            assert set(error) == {"code", "message", "hint"}
        assert set(books) == {"moby", "emma"}


@pytest.mark.parametrize(
    ("first_key", "second_key", "why"),
    [
        ("s" * 32, "s" * 32, "no place where the processes of this server note"),
        ("1" * 32, "2" * 32, "not one of this server's"),
        (None, None, "not one of this server's"),
    ],
)
async def test_A3_without_a_shared_place_another_process_takes_no_token(
    first_key: str | None, second_key: str | None, why: str
) -> None:
    first, second = shelved(state_key=first_key), shelved(state_key=second_key)
    async with connected(first) as one, connected(second) as other:
        stocked(first)
        books = stocked(second)
        token = (await one.fails("shelf_burn", **BOOK))["approval"]
        error = await other.fails("shelf_burn", **BOOK, approval=token)
        assert error["code"] == "approval_required"
        assert why in error["message"]
        assert "approval" not in error
        assert "moby" in books
        assert (await one.ok("shelf_burn", **BOOK, approval=token))["result"] == "burnt"


@asynccontextmanager
async def asked(
    instance: ConfiguredServer, answer: Any, mode: Mode, stateful_http: bool = False
) -> AsyncIterator[ToolCaller]:
    """A client that can be asked, in memory (as stdio) or over stateful HTTP."""
    questions: list[str] = []

    async def handler(message: str, response_type: Any, params: Any, context: Any) -> Any:
        questions.append(message)
        if answer is None:
            return ElicitResult(action="decline")
        field = next(iter(params.requested_schema["properties"]))
        return ElicitResult(action="accept", content={field: answer})

    if stateful_http:
        async with (
            served(http_app("shelf", [instance], None)) as url,
            Client(f"{url}/mcp", mode=mode, elicitation_handler=handler) as client,
        ):
            yield ToolCaller(client)
    else:
        async with connected(instance, mode=mode, elicitation_handler=handler) as caller:
            yield caller
    assert all("moby" in question for question in questions)


@pytest.mark.parametrize("stateful_http", [False, True])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("answer", "burnt"), [(True, True), (False, False), (None, False)])
async def test_a_person_is_asked_in_both_revisions(mode: Mode, answer: Any, burnt: bool, stateful_http: bool) -> None:
    instance = shelved(stateful=stateful_http)
    async with instance.opened(), asked(instance, answer, mode, stateful_http) as caller:
        books = stocked(instance)
        if burnt:
            await caller.ok("shelf_burn", **BOOK)
        else:
            assert (await caller.fails("shelf_burn", **BOOK))["code"] == "denied"
        assert ("moby" in books) is not burnt


async def test_a_stateless_client_of_the_older_revision_gets_the_plan_and_a_token() -> None:
    instance = shelved()
    async with (
        instance.opened(),
        served(http_app("shelf", [instance], None)) as url,
        Client(f"{url}/mcp", mode="legacy") as client,
    ):
        stocked(instance)
        caller = ToolCaller(client)
        error = await caller.fails("shelf_burn", **BOOK)
        assert error["code"] == "approval_required"
        await caller.ok("shelf_burn", **BOOK, approval=error["approval"])


async def test_when_only_a_person_counts_a_client_that_cannot_ask_is_denied() -> None:
    instance = shelved(approval="ask")
    async with connected(instance) as caller:
        books = stocked(instance)
        error = await caller.fails("shelf_burn", **BOOK)
        assert error["code"] == "denied"
        assert "approval" not in error
        assert (await caller.fails("shelf_burn", **BOOK, approval="x"))["code"] == "denied"
        assert "moby" in books


async def test_automation_may_switch_it_off_and_the_audit_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved(approval="off")
    async with connected(instance) as caller:
        stocked(instance)
        await caller.ok("shelf_burn", **BOOK)
    assert '"approval":"off"' in capsys.readouterr().err


async def test_the_audit_says_how_it_was_decided(capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved()
    async with connected(instance) as caller:
        stocked(instance)
        token = (await caller.fails("shelf_burn", **BOOK))["approval"]
        await caller.ok("shelf_burn", **BOOK, approval=token)
    lines = [
        line for line in capsys.readouterr().err.splitlines() if '"log":"audit"' in line and '"event":"call"' in line
    ]
    assert '"approval":"required"' in lines[0]
    assert '"outcome":"approval_required"' in lines[0]
    assert '"approval":"token"' in lines[1]
    assert token not in "".join(lines)
