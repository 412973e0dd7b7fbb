"""Large texts are cleaned, searched and hidden in steps, so that other threads run between: the outcome is the same."""

import json
import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.redaction import cleaning, marks, structures, texts

INVISIBLE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\\\)|\x1b[@-_]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e"
    "\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What is cleaned away, said by alternatives."""
MARKS = ("[hidden]", "[hidden:3f9c]", "%5Bhidden%3A3F9C%5D", marks.TOO_DEEP)


@given(st.text(alphabet="\x1b[]0;@A~ /\x07\\x\n\u200b\x01\x7f\ufeffé", max_size=30))
def test_what_cannot_be_seen_is_cleaned_away(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "_SPLITS", 2)
        assert cleaning.clean(text) == INVISIBLE.sub("", text)


@given(st.lists(st.sampled_from(["token: abc", " password='x1", "&", "key=[hidden] ", "auth", "\n", ":=y", "://a:b@"])))
def test_a_coarse_look_in_steps_hides_the_same(parts: list[str]) -> None:
    data = "".join(parts).encode()
    whole = texts._coarsely(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_SPLITS", 1)
        assert texts._coarsely(data) == whole


@given(st.text(alphabet="[hiden]%5B:", max_size=30), st.sampled_from(MARKS), st.integers(0, 40), st.integers(1, 20))
def test_a_mark_is_found_wherever_a_step_ends(text: str, mark: str, before: int, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "_STEP", step)
        assert marks.find_mark("x" * before + mark + text) == "it"
        assert marks.find_mark({"a": {mark: 1}}) == f"a.{mark}"
        assert (marks.find_mark(text) is None) == (marks._INCOMING.search(text) is None)


PLANTED = [
    line
    for row in files(__package__).joinpath("planted.jsonl").read_text().splitlines()
    for line in str(json.loads(row).get("text", "")).splitlines()
    if line.isprintable()
]
USUAL = ("web-5d9c8b7f6d-x2x9k", "8f14e45f-ceea-467f-a0e6-d5a1b2c3d4e5", "10.0.0.1", "a b", "", "password", "--token")


@given(st.lists(st.sampled_from(PLANTED) | st.sampled_from(USUAL) | st.text(alphabet="ab:=-_@/. \"'1", max_size=12)))
def test_lines_that_are_looked_at_together_are_plain_each_for_itself(lines: list[str]) -> None:
    printable = [line for line in lines if line.isprintable()]
    assert [line for line in texts.plain_lines(printable) if not texts.is_plain(line)] == []


def test_lines_of_all_planted_secrets_together() -> None:
    plain = [*texts.plain_lines([*PLANTED, *USUAL])]
    assert [line for line in plain if not texts.is_plain(line)] == []
    assert {"web-5d9c8b7f6d-x2x9k", "10.0.0.1", "a b", ""} <= set(plain)


def test_a_large_structure_hides_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    node = [{"name": line[:40], "about": line, "spec": {"args": [line, "x"], line[:60]: 1}} for line in PLANTED[::3]]
    shown = redaction.value(node)
    monkeypatch.setattr(structures, "_LARGE", 0)
    assert redaction.value(node) == shown
