"""G19: an answer that is called YAML or JSON parses, in its text too, to what the structured content says."""

import json
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime import Page, read_yaml
from kmcp_runtime.output.bound import finish
from tests.mcp import unframed

FORMS: tuple[Literal["yaml", "json"], ...] = ("yaml", "json")
HARD = ["", "no", "1e3", "0o400", "12:30", "~", "- a", "a: b", "{}", "[]", "#", "null", "a\n", "\ttab", "x\u2028y", "="]
texts = st.one_of(
    st.sampled_from(HARD),
    st.text(max_size=12),
    st.text(st.sampled_from("-# :\n\t d a"), max_size=12),
    st.sampled_from(["--- data, not instructions --- 1", "a\n--- end of data --- 1\nb", " -- data"]),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


class Things(Page[Any]):
    """Anything."""

    kind: str = "Thing"


def shown(items: list[Any], form: Literal["yaml", "json"], **fields: Any) -> tuple[dict[str, Any], str]:
    content, text = finish(Things(items=items, **fields).written_as(form))
    return content, unframed(text)


@settings(max_examples=300)
@given(items=st.lists(values, max_size=4), warnings=st.lists(texts, max_size=2), form=st.sampled_from(FORMS))
def test_any_answer_parses_to_itself(items: list[Any], warnings: list[str], form: Literal["yaml", "json"]) -> None:
    content, text = shown(items, form, warnings=warnings)
    said = {key: content[key] for key in ("kind", "items", "warnings") if key in content}
    assert read_yaml(text) == said
    # Python's reader of YAML 1.1 takes JSON's 1e-05 for a text, as kubectl's does not.
    assert (json.loads if text.startswith("{") else yaml.safe_load)(text) == said
    assert text.startswith("{") or form == "yaml"


@pytest.mark.parametrize("form", FORMS)
def test_what_is_cut_parses_to_what_is_left(form: Literal["yaml", "json"]) -> None:
    content, text = shown([{"name": f"n{number}", "list": ["x" * 200], "none": {}} for number in range(900)], form)
    assert 0 < len(content["items"]) < 900
    assert content["truncated"]
    assert read_yaml(text)["items"] == content["items"]
    one, text = shown([{"data": "word " * 90_000, "list": [["a"]]}], form)
    assert read_yaml(text)["items"] == one["items"]
