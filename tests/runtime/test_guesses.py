"""F1, F2: what a caller sends comes back alike, a Secret's value or not; what he did not send is hidden."""

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.audit import record
from kmcp_runtime.engine.logs import RedactingFormatter
from kmcp_runtime.kube import secret_values
from kmcp_runtime.redaction.known import REGISTER
from tests.mcp import ToolCaller
from tests.runtime.conftest import connected, shelf_of, shelved

SECRET, WRONG = "Summer-2024!", "Winter-2023?"
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a name that nothing has": ("shelf_read", {"name": "*"}),
    "a part of a name": ("shelf_read", {"name": "book=*,room=2"}),
    "a new text": ("shelf_put", {"name": "a", "text": "*", "dry_run": True}),
    "lines of a new text": ("shelf_put", {"name": "a", "text": "x\npassphrase of the door\n*\n", "dry_run": True}),
    "a new name": ("shelf_put", {"name": "*", "text": "x", "dry_run": True}),
    "a number": ("shelf_list", {"limit": "*"}),
    "a cursor": ("shelf_list", {"cursor": "*"}),
    "an argument": ("shelf_read", {"name": "a", "*": 1}),
    "a token": ("shelf_burn", {"name": "diary", "approval": "*"}),
    "a tool": ("*", {}),
    "a tool and more": ("tools like *, or others", {}),
    "a tool by the door": ("call_tool", {"name": "*"}),
    "many tools by the door": ("call_tool", {"name": "Winter-2021! Winter-2022! * Winter-2024! Winter-2025!"}),
    "an argument by the door": ("call_tool", {"name": "shelf_read", "*": 1}),
    "an argument of a tool by the door": ("call_tool", {"name": "shelf_read", "arguments": {"name": "a", "*": 1}}),
    "an argument of the search": ("search_tools", {"query": "books", "*": 1}),
    "what is searched for": ("search_tools", {"query": "* of books"}),
}


@pytest.mark.parametrize("about", list(CALLS))
async def test_F1_a_right_guess_looks_like_a_wrong_one(about: str) -> None:
    redaction.learn(SECRET)
    instance = shelved()
    tool, arguments = CALLS[about]
    async with connected(instance) as caller:
        shelf_of(instance).books["diary"] = "nothing"
        right, wrong = [await answer(caller, tool, arguments, guess) for guess in (SECRET, WRONG)]
    assert right == wrong
    assert "[hidden" not in right


@pytest.mark.parametrize("by_door", [True, False])
@settings(max_examples=25, deadline=None)
@given(before=st.text(max_size=80), after=st.text(max_size=80), value=st.from_regex(r"[0-9]{8}|[a-z]+-[a-z0-9]{8}"))
async def test_a_name_of_no_tool_tells_no_right_guess_whatever_stands_around_it(
    by_door: bool, before: str, after: str, value: str
) -> None:
    told = []
    for known in (True, False):
        REGISTER.forget()
        if known:
            redaction.learn(value)
        name = f"{before}{value}{after}"
        async with connected(shelved()) as caller:
            call = ("call_tool", {"name": name}) if by_door else (name, {})
            told.append(await answer(caller, *call, guess=value))
    assert told[0] == told[1]


async def test_F1_of_four_thousand_guesses_none_stands_out() -> None:
    redaction.learn(SECRET)
    guesses = "\n".join([*(f"guess-{number:05d}!" for number in range(4_000)), SECRET])
    async with connected(shelved()) as caller:
        told = await caller.ok("shelf_put", name="a", text=guesses, dry_run=True)
    assert "[hidden" not in json.dumps(told)


async def test_F1_what_the_caller_did_not_send_is_hidden() -> None:
    redaction.learn(SECRET)
    instance = shelved()
    async with connected(instance) as caller:
        shelf_of(instance).books["diary"] = f"I told them {SECRET} today"
        assert SECRET not in json.dumps(await caller.ok("shelf_read", name="diary"))
        assert SECRET not in json.dumps(await caller.ok("shelf_put", name="diary", text="x", dry_run=True))


def test_a_log_hides_what_a_caller_sent() -> None:
    redaction.learn(SECRET)
    logged = logging.LogRecord("kmcp", logging.ERROR, "", 0, "no book %r", (SECRET,), None)
    with redaction.echoing({"name": SECRET}):
        assert redaction.text(SECRET) == SECRET
        assert SECRET not in RedactingFormatter("%(message)s").format(logged)


def test_an_audit_line_hides_what_a_caller_sent() -> None:
    redaction.learn(SECRET)
    with redaction.echoing({"name": SECRET}):
        assert SECRET not in record.named(f"book {SECRET}")


def test_what_a_caller_sends_as_a_secret_is_hidden_from_him_too() -> None:
    redaction.learn(SECRET)
    with redaction.echoing({"manifest": f"stringData: {{word: {SECRET}}}"}):
        secret_values.withhold({"kind": "Secret", "stringData": {"word": SECRET}})
        assert SECRET not in redaction.text(f"the word {SECRET} is not accepted")


async def answer(caller: ToolCaller, tool: str, arguments: dict[str, Any], guess: str) -> str:
    """Text and structure of the answer, with a star in place of the guess."""
    sent = _filled(arguments, guess)
    result = await caller.client.call_tool(tool.replace("*", guess), sent, raise_on_error=False)
    whole = json.dumps([content.model_dump(mode="json") for content in result.content] + [result.structured_content])
    # The boundary of a frame is another one in each answer.
    return re.sub(r" --- [0-9a-f]{6}", " --- #", whole.replace(guess, "*"))


def _filled(arguments: dict[str, Any], guess: str) -> dict[str, Any]:
    return {
        name.replace("*", guess): _filled(item, guess) if isinstance(item, dict) else str(item).replace("*", guess)
        for name, item in arguments.items()
    }
