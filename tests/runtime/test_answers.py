"""Only JSON `true` is a yes, and only of a client that was asked: whatever else it sends destroys nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmcp_runtime.engine.assembly import http_app
from tests.runtime.conftest import shelf_of, shelved
from tests.runtime.raw_answers import LEGACY, MODERN, RawClient, failure_of, raw_client
from tests.serving import served
from tests.trust import Trust

BOOK = {"name": "moby"}
REVISIONS = pytest.mark.parametrize("revision", [LEGACY, MODERN])
MODES = pytest.mark.parametrize("approval", ["plan", "ask"])
YES = {"action": "accept", "content": {"ok": True}}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ok", "value", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NEARLY = st.sampled_from(
    ["true", "True", 1, 1.0, "yes", "on", ["true"], [True], {"ok": True}, {"ok": "false"}, None, ""]
)
CONTENTS = st.one_of(
    JSON,
    st.fixed_dictionaries({"ok": JSON | NEARLY}),
    st.fixed_dictionaries({"ok": st.just(True), "more": JSON}),
    st.fixed_dictionaries({"value": st.just(True)}),
)
REPLIES = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"action": st.sampled_from(["accept", "decline", "cancel", "yes"]) | JSON, "content": CONTENTS}
    ),
    st.fixed_dictionaries({"action": st.sampled_from(["decline", "cancel"]), "content": st.just({"ok": True})}),
)
FEW = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@asynccontextmanager
async def serving(revision: str, **runtime: Any) -> AsyncIterator[tuple[RawClient, dict[str, str]]]:
    instance = shelved(stateful=revision == LEGACY, **runtime)
    async with (
        instance.opened(),
        served(http_app("shelf", [instance], None)) as url,
        raw_client(url, revision) as client,
    ):
        shelf_of(instance).books = {"moby": "dick"}
        yield client, shelf_of(instance).books


def is_yes(reply: Any) -> bool:
    if not isinstance(reply, dict) or reply.get("action") != "accept" or not isinstance(reply.get("content"), dict):
        return False
    return list(reply["content"].items()) == [("ok", True)] and reply["content"]["ok"] is True


@REVISIONS
@MODES
async def test_A2_true_is_a_yes(revision: str, approval: str) -> None:
    async with serving(revision, approval=approval) as (client, books):
        message = await client.call("shelf_burn", BOOK, YES)
        assert message["result"]["structuredContent"]["result"] == "burnt"
        assert client.asked == 1
        assert not books


NO_YES: list[Any] = [
    {"ok": "true"},
    {"ok": "false"},
    {"ok": 1},
    {"ok": 1.0},
    {"ok": "yes"},
    {"ok": ["true"]},
    {"ok": [True]},
    {"ok": {"ok": True}},
    {"ok": None},
    {"ok": False},
    {"ok": True, "more": 1},
    {"value": True},
    {},
    None,
    True,
    [True],
    "true",
]


@REVISIONS
@MODES
async def test_A2_nothing_else_is_a_yes(revision: str, approval: str, trust: Trust) -> None:
    # Before 2026 an answer that is no object is no message at all; the server waits on, until the call's deadline.
    shapeless: tuple[Any, ...] = (None, True, []) if revision == MODERN else ()
    unaccepted = [
        {"content": {"ok": True}},
        {"action": "accept"},
        *(YES | {"action": no} for no in ("cancel", "decline")),
    ]
    replies = [*shapeless, {}, *unaccepted, *({"action": "accept", "content": content} for content in NO_YES)]
    async with serving(revision, approval=approval) as (client, books):
        for reply in replies:
            error = failure_of(await client.call("shelf_burn", BOOK, reply))
            assert error["code"] != "internal", reply
            assert "approval" not in error
            assert books == {"moby": "dick"}, reply
        assert client.asked == len(replies)
        trust.count("approvals", "answers that are no yes", refused=len(replies), tried=len(replies))


@REVISIONS
@MODES
@FEW
@given(st.lists(REPLIES, min_size=10, max_size=10))
async def test_A2_whatever_a_client_answers(revision: str, approval: str, replies: list[Any]) -> None:
    async with serving(revision, approval=approval) as (client, books):
        for reply in replies:
            if not is_yes(reply) and (revision == MODERN or isinstance(reply, dict)):
                assert failure_of(await client.call("shelf_burn", BOOK, reply))["code"] != "internal", reply
                assert books == {"moby": "dick"}, reply


@REVISIONS
async def test_A1_a_client_that_can_be_asked_is_asked_whatever_it_sends_as_approval(revision: str) -> None:
    async with serving(revision) as (client, books):
        for token in ("x", "AAAA" * 20):
            error = failure_of(await client.call("shelf_burn", {**BOOK, "approval": token}, {"action": "decline"}))
            assert error["code"] == "denied"
            assert "approval" not in error
        assert client.asked == 2
        assert books == {"moby": "dick"}
        await client.call("shelf_burn", {**BOOK, "approval": "x"}, YES)
        assert client.asked == 3
        assert not books


async def test_A1_a_token_made_for_a_client_that_cannot_be_asked_does_not_spare_another_the_question() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        shelf_of(instance).books = {"moby": "dick"}
        async with raw_client(url, MODERN, {}) as mute, raw_client(url, MODERN) as client:
            token = failure_of(await mute.call("shelf_burn", BOOK, None))["approval"]
            assert failure_of(await client.call("shelf_burn", {**BOOK, "approval": token}, {"action": "decline"}))
            assert client.asked == 1
            assert shelf_of(instance).books


async def test_A1_who_only_opens_addresses_cannot_be_asked_by_a_form() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        shelf_of(instance).books = {"moby": "dick"}
        async with raw_client(url, MODERN, {"elicitation": {"url": {}}}) as client:
            assert failure_of(await client.call("shelf_burn", BOOK, YES))["approval"]
            assert client.asked == 0


async def test_A2_an_answer_to_no_question_is_no_yes() -> None:
    async with serving(MODERN) as (client, books):
        for state in ({}, {"requestState": "x"}, {"requestState": "AAAA" * 20}):
            failure_of(await client.send_modern("shelf_burn", BOOK, inputResponses={"confirm": YES}, **state))
        assert books == {"moby": "dick"}


async def test_A2_a_yes_is_good_once_and_for_what_was_asked() -> None:
    async with serving(MODERN) as (client, books):
        books["emma"] = "woodhouse"
        state = (await client.send_modern("shelf_burn", BOOK))["result"]["requestState"]
        answered = {"inputResponses": {"confirm": YES}, "requestState": state}
        failure_of(await client.send_modern("shelf_burn", {"name": "emma"}, **answered))
        await client.send_modern("shelf_burn", BOOK, **answered)
        assert set(books) == {"emma"}
        books["moby"] = "dick"
        error = failure_of(await client.send_modern("shelf_burn", BOOK, **answered))
        assert "has been used" in error["message"]
        assert "approval" not in error
        assert set(books) == {"moby", "emma"}
