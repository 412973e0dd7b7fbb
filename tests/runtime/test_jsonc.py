"""Changing a JSON file that people write."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime.connect.jsonc import NotJsonError, read, with_items, with_member

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NOTES = st.sampled_from(["", " ", "\n", '// a, " } b\n', '/* , ] \n " */', "\t"])


@st.composite
def commented(draw: st.DrawFn, value: Any) -> str:
    """The value as JSON, with comments and trailing commas between its parts."""

    def note() -> str:
        return str(draw(NOTES))

    if isinstance(value, dict | list):
        named = (
            [(f"{json.dumps(key)}{note()}:{note()}", each) for key, each in value.items()]
            if isinstance(value, dict)
            else []
        )
        named = named or [("", each) for each in value]
        parts = [f"{note()}{name}{draw(commented(each))}{note()}" for name, each in named]
        trailing = "," if parts and draw(st.sampled_from([True, False])) else ""
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        return f"{opening}{','.join(parts)}{trailing}{note()}{closing}"
    return json.dumps(value)


@given(st.data(), st.dictionaries(st.text(max_size=4), VALUES, max_size=4), st.text(max_size=4), VALUES)
def test_one_member_is_set_and_all_else_stays(data: st.DataObject, body: dict[str, Any], key: str, value: Any) -> None:
    text = data.draw(NOTES) + data.draw(commented(body)) + data.draw(NOTES)
    assert read(text) == body
    after = with_member(text, [key], value)
    assert read(after) == {**body, key: value}
    if key not in body:  # the value that is replaced takes its notes along
        assert after.count("//") + after.count("/*") >= text.count("//") + text.count("/*")
    assert with_member(after, [key], value) == after, "once is enough"


@given(st.data(), st.dictionaries(st.text(max_size=4), st.dictionaries(st.text(max_size=3), VALUES), max_size=3))
def test_a_member_of_a_member(data: st.DataObject, body: dict[str, Any]) -> None:
    text = data.draw(commented(body))
    key = data.draw(st.sampled_from([*body, "new"]))
    expected = {**body, key: {**body.get(key, {}), "k": [1]}}
    assert read(with_member(text, [key, "k"], [1])) == expected


@given(st.data(), st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
def test_items_are_added_to_a_list(data: st.DataObject, old: list[Any], new: list[Any]) -> None:
    text = data.draw(commented({"a": 1, "list": old}))
    assert read(with_items(text, "list", new)) == {"a": 1, "list": [*old, *new]}


@pytest.mark.parametrize(("text", "line"), [("", 1), ("{", 1), ('{\n"a" 1}', 2), ("[1]", 1), ('{"a": 1}}', 1)])
def test_what_is_not_an_object_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(NotJsonError, match=f"line {line}: "):
        with_member(text, ["a"], 1)
