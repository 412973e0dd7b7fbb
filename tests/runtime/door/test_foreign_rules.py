"""A foreign server's calls pass the same rules, and what it asks on the way reaches whoever called."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Send

from kmcp_runtime.foreign.listed_tools import declared
from kmcp_runtime.foreign.naming import LONGEST, listed_name
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.foreign.servers_file import ForeignEntry
from tests.mcp import ToolCaller, text_of, unframed
from tests.runtime.door.foreigners import Program, beside, listed, respond
from tests.slowness import scaled

FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
QUESTION = {"message": "Who are you?", "requestedSchema": FORM}


async def test_a_policy_and_limits_hold_for_foreign_tools(tmp_path: Path) -> None:
    (tmp_path / "rules.cedar").write_text(
        'permit (principal, action in Action::"shelf", resource);\n'
        'permit (principal, action == Action::"program_act", resource) when { context.arguments has word };\n'
        '@id("no-swearing") forbid (principal, action == Action::"program_act", resource)'
        ' when { context.arguments has word && context.arguments.word == "darn" };\n'
    )
    schema = {"type": "object", "properties": {"word": {"type": "string"}}}
    tools = [{"name": each, "inputSchema": schema, "annotations": {"readOnlyHint": True}} for each in ("act", "other")]
    policy = str(tmp_path / "rules.cedar")
    async with beside(Program(tools), tmp_path, policy=policy, rate_limits="program_*=3/hour") as found:
        async with Client(found.url) as client:
            caller = ToolCaller(client)
            shown = await listed(client, "program_act")
            assert "program_other" not in shown
            assert unframed(await caller.text("program_act", word="hello")) == "done"
            failure = await caller.fails("program_act", word="darn")
            assert (failure["code"], failure["rule"]) == ("denied", "no-swearing")
            assert (await caller.fails("program_other", word="hello"))["code"] == "denied"
            assert (await caller.fails("program_act", word="hello"))["code"] == "rate_limited"


async def _answer(message: str, kind: Any, *_: Any) -> ElicitResult[Any]:
    assert message.startswith("The foreign server program asks")
    assert message.endswith("Who are you?")
    return ElicitResult(action="accept", content={"name": "Ada"})


async def test_a_question_on_the_stream_of_a_call_reaches_its_caller(tmp_path: Path) -> None:
    program = Program(legacy=True)

    async def ask(asked: Any, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for message in (
            {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": QUESTION},
            {"jsonrpc": "2.0", "id": 8, "method": "sampling/createMessage", "params": {}},
        ):
            await send({"type": "http.response.body", "body": _event(message), "more_body": True})
        answers: dict[int, Any] = {}
        while len(answers) < 2:
            heard = await program.heard.get()
            if "id" in heard:
                answers[heard["id"]] = heard
        said = [{"type": "text", "text": json.dumps(answers[7]["result"]) + str(answers[8]["error"]["code"])}]
        done = {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": said}}
        await send({"type": "http.response.body", "body": _event(done)})

    program.act = ask
    async with beside(program, tmp_path) as found:
        async with Client(found.url, mode="legacy", elicitation_handler=_answer) as client:
            await listed(client, "program_act")
            result = await client.call_tool("program_act", {})
            assert '"Ada"' in text_of(result.content)
            assert "-32601" in text_of(result.content)


async def test_a_question_between_two_calls_reaches_its_caller_in_both_revisions(tmp_path: Path) -> None:
    program = Program()

    async def ask(asked: Any, send: Send) -> None:
        params = asked["params"]
        answers = params.get("inputResponses")
        result: dict[str, Any] = {
            "resultType": "input_required",
            "inputRequests": {"who": {"method": "elicitation/create", "params": QUESTION}},
            "requestState": "half-way",
        }
        if answers:
            assert params["requestState"] == "half-way"
            result = {"content": [{"type": "text", "text": answers["who"]["content"]["name"]}]}
        await respond(send, {"jsonrpc": "2.0", "id": asked["id"], "result": result})

    program.act = ask
    async with beside(program, tmp_path) as found:
        for mode in ("auto", "legacy"):
            way: Any = mode
            async with Client(found.url, mode=way, elicitation_handler=_answer) as client:
                await listed(client, "program_act")
                result = await client.call_tool("program_act", {})
                assert unframed(text_of(result.content)) == "Ada", mode
        async with Client(found.url) as client:
            failure = await ToolCaller(client).fails("program_act")
            assert failure["code"] == "conflict"
            assert "this client cannot be asked" in failure["message"]


@pytest.mark.parametrize(
    ("name", "state", "words"), [("who", "s" * (1 << 20), "64 KiB"), ("n" * 1000, "s", "question")]
)
async def test_a_question_that_is_too_large_to_carry_is_refused(
    tmp_path: Path, name: str, state: str, words: str
) -> None:
    program = Program()

    async def ask(asked: Any, send: Send) -> None:
        question = {name: {"method": "elicitation/create", "params": QUESTION}}
        more = {"resultType": "input_required", "inputRequests": question, "requestState": state}
        content = {"content": [{"type": "text", "text": "done"}]}
        result = content if asked["params"].get("inputResponses") else more
        await respond(send, {"jsonrpc": "2.0", "id": asked["id"], "result": result})

    program.act = ask
    async with beside(program, tmp_path) as found, Client(found.url, elicitation_handler=_answer) as client:
        await listed(client, "program_act")
        failure = await ToolCaller(client).fails("program_act")
    assert failure["code"] == "conflict"
    assert words in failure["message"]


async def test_a_server_that_says_that_its_list_has_changed_is_asked_again(tmp_path: Path) -> None:
    program = Program(legacy=True)
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        program.tools = [{**program.tools[0], "name": "other"}]
        program.news.set()
        # Well before it would be asked anyway.
        async with asyncio.timeout(scaled(20)):
            await listed(client, "program_other", gone=["program_act"])


async def test_a_call_that_is_given_up_is_cancelled_at_its_server(tmp_path: Path) -> None:
    program = Program(legacy=True)
    begun = asyncio.Event()

    async def hang(asked: Any, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        begun.set()
        await asyncio.get_running_loop().create_future()

    program.act = hang
    async with beside(program, tmp_path) as found:
        async with Client(found.url, mode="legacy") as client:
            await listed(client, "program_act")
            call = asyncio.create_task(client.call_tool("program_act", {}))
            await begun.wait()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            async with asyncio.timeout(scaled(20)):
                while (await program.heard.get()).get("method") != "notifications/cancelled":
                    pass


def _event(message: Any) -> bytes:
    return b"data: " + json.dumps(message).encode() + b"\n\n"


ANY_SPEED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine makes inputs slowly, which says nothing of what is tested."""
NAMES = st.text("ab-", min_size=1, max_size=4).map(lambda name: f"a{name}b")
TOOLS = st.text("aZ09é ./\0", min_size=1, max_size=12) | st.text("ab_.-", min_size=1, max_size=80)


@ANY_SPEED
@given(st.sets(st.tuples(NAMES, TOOLS), max_size=8), st.sets(st.text("ab_", min_size=3, max_size=8), max_size=4))
def test_names_never_collide_and_depend_on_nothing_else(tools: set[tuple[str, str]], own: set[str]) -> None:
    names = {each: listed_name(*each, own) for each in tools}
    assert len(set(names.values())) == len(tools)
    for name in names.values():
        assert 0 < len(name) <= LONGEST
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
        assert name not in own


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé\0\ud800", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "required", "$ref", "approval", "x", "x-mcp-header"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@ANY_SPEED
@given(st.lists(st.dictionaries(st.sampled_from(["name", "inputSchema", "annotations", "title", "description"]), JSON)))
def test_whatever_is_listed_is_offered_or_left_out_with_a_reason(tools: list[dict[str, Any]]) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError

    entry = ForeignEntry(name="any", url="http://any")
    found = declared(entry, [scrub(tool) for tool in tools], frozenset(), never)
    assert len(found.tools) + len(found.left_out) == len(tools)
    for spec in found.tools:
        assert spec.input_schema()["type"] == "object"
        assert spec.can_destroy()
        spec.checked({"x": 1})
