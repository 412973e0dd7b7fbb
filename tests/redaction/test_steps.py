"""Large texts are cleaned, searched and hidden in steps, so that other threads run between: the outcome is the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime.redaction import marks, texts

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
        patch.setattr(texts, "_SPLITS", 2)
        assert texts.clean(text) == INVISIBLE.sub("", text)


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
