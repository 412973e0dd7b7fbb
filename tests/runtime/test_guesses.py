"""F1, F2: what a caller sends comes back alike, a Secret's value or not; what he did not send is hidden."""

import json
import logging
import re
import sys
from dataclasses import replace
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime import Effect, RuntimeSettings, redaction, tool, tools_in
from kmcp_runtime.audit import record
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.logs import RedactingFormatter
from kmcp_runtime.kube import secret_values
from kmcp_runtime.redaction.known import REGISTER
from tests.mcp import ToolCaller
from tests.runtime import shelf as shelves
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.runtime.shelf import Shelf, Text

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


@tool(Effect.READ)
async def shelf_without(shelf: Shelf, names: Annotated[str, "Names"]) -> Text:
    """Read all books but those."""
    return Text(text="\n".join(text for name, text in shelf.books.items() if name not in names))


GUESSES = {
    "a few": ["10000001", "10000002", "*"],
    "many": [*(str(number) for number in range(10000000, 10000030)), "*"],
    "thousands": [*(str(number) for number in range(10000000, 10006000)), "*"],
}


@pytest.mark.parametrize("joined", [",", " ", "|", "\n", ".", ""])
@pytest.mark.parametrize("many", GUESSES)
async def test_what_others_wrote_is_shown_to_who_sent_it_among_few_whole_words(many: str, joined: str) -> None:
    server = replace(shelves.SERVER, tools=lambda: tools_in(sys.modules[__name__]))
    instance = ConfiguredServer(server, shelves.ShelfSettings(), Process.of(RuntimeSettings(), [server]))
    redaction.learn("48151623")
    guesses = joined.join(GUESSES[many]).replace("*", "48151623")
    async with connected(instance) as caller:
        shelf_of(instance).books["diary"] = "the code is 48151623 here"
        shown = "48151623" in await caller.text("shelf_without", names=guesses)
    assert shown == (many == "a few" and joined != "")


@given(
    value=st.from_regex(r"[A-Za-z0-9]{3,9}[-_. !][a-z0-9]{5,9}", fullmatch=True),
    others=st.lists(st.integers(min_value=10**11), min_size=21, max_size=60, unique=True),
)
def test_no_value_is_shown_for_being_one_of_many_guesses_of_its_shape(value: str, others: list[int]) -> None:
    pattern = [char if not char.isalnum() else "#" for char in value]
    digits = [iter(str(number)[::-1].ljust(len(value), "7")) for number in others]
    guesses = [*{"".join(next(each) if char == "#" else char for char in pattern) for each in digits}, value]
    sent = {"selector": f"x notin ({','.join(guesses)})"}
    redaction.learn(value)
    with redaction.echoing(sent, ["selector"]):
        shown = value in redaction.text(f"it is {value}.")
        with redaction.repeating():
            assert value in redaction.text(f"it is {value}.")
    assert not shown or len(set(guesses)) <= 20


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
