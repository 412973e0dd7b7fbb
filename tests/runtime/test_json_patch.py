"""JSON Patch and JSON Pointer: the examples of the RFCs, the published conformance cases, and what we add to them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime import Diff, ToolFailure
from kmcp_runtime.json_patch import MOST_BYTES, MOST_OPERATIONS, apply_patch, read_pointer, same_json
from tests.packages import npm_packages

Step = dict[str, Any]
HERE = Path(__file__).parent
UNDECIDABLE = "two 'op' members"
"""Why a published case cannot be asked: a JSON object with a member twice is none once it is parsed."""

# RFC 6902, appendix A: the section, a document, operations, and what they leave.
APPENDIX: list[tuple[str, Any, list[Step], Any]] = [
    (
        "A.1 add a member",
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"baz": "qux", "foo": "bar"},
    ),
    (
        "A.2 add an item",
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ("A.3 remove a member", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    (
        "A.4 remove an item",
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    (
        "A.5 replace a value",
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        "A.6 move a value",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7 move an item",
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        "A.8 test",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        "A.10 add a nested object",
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    (
        "A.11 ignore unknown members",
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    (
        "A.14 escapes in order",
        {"/": 9, "~1": 10},
        [{"op": "test", "path": "/~01", "value": 10}],
        {"/": 9, "~1": 10},
    ),
    (
        "A.16 add an array to an array",
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
]

# Of the appendix those that must fail (A.9, A.12, A.15), then our own: a document, operations, which fails, and why.
REFUSED: list[tuple[Any, list[Step], str]] = [
    (
        {"baz": "qux"},
        [{"op": "test", "path": "/baz", "value": "bar"}],
        'operations[0] (test /baz): the value is "qux"',
    ),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], "the document has no 'baz'"),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], "the value is 10"),
    ({"t": True}, [{"op": "test", "path": "/t", "value": 1}], "the value is true"),
    ({"t": 0}, [{"op": "test", "path": "/t", "value": False}], "the value is 0"),
    ({"t": [{"u": 1}]}, [{"op": "test", "path": "/t", "value": [{"u": True}]}], "the value is"),
    ({"list": [1, 2]}, [{"op": "replace", "path": "/list/01", "value": 3}], "/list has 2 items, and no '01'"),
    ({"list": [1, 2, 3]}, [{"op": "remove", "path": "/list/٢"}], "and no '٢'"),
    ({"list": [1, 2]}, [{"op": "remove", "path": "/list/*"}], "and no '*'"),
    ({"list": [1, 2]}, [{"op": "remove", "path": "/list/-1"}], "and no '-1'"),
    ({"list": [1, 2]}, [{"op": "remove", "path": "/list/+1"}], "and no '+1'"),
    ({"list": [1, 2]}, [{"op": "remove", "path": "/list/1_0"}], "and no '1_0'"),
    ({"list": [1, 2]}, [{"op": "remove", "path": "/list/-"}], "and no '-'"),
    ({"list": [1, 2]}, [{"op": "replace", "path": "/list/-", "value": 3}], "and no '-'"),
    ({"list": [1, 2]}, [{"op": "copy", "from": "/list/-", "path": "/x"}], "from: /list has 2 items, and no '-'"),
    ({"list": [1, 2]}, [{"op": "add", "path": "/list/3", "value": 3}], "nothing can be added at '3'"),
    ({"list": [1, 2]}, [{"op": "add", "path": "/list/-/x", "value": 3}], "and no '-'"),
    ({"text": "abc"}, [{"op": "add", "path": "/text/0", "value": 3}], "/text is \"abc\", which has no '0'"),
    ({"a": {"b": {}}}, [{"op": "move", "from": "/a", "path": "/a/b/c"}], "own children"),
    ({"panels": 1}, [{"op": "remove", "path": "/panel"}], "no 'panel': did you mean panels"),
    ({"a": 1}, [{"op": "remove", "path": ""}], "the whole document cannot be removed"),
    ({"a": 1}, [{"op": "remove", "path": "/~2"}], "is not a JSON pointer"),
    ({"a": 1}, [{"op": "remove", "path": "a"}], "operations[0]: path is 'a'"),
    ({"a": 1}, [{"op": "add", "path": "/b"}], "add needs a value"),
    ({"a": 1}, [{"op": "move", "path": "/b"}], "move needs from"),
    ({"a": 1}, [{"op": "spam", "path": "/b"}], "op is 'spam', not one of add"),
    (
        {"a": 1},
        [{"op": "remove", "path": "/a"}, {"op": "test", "path": "/a", "value": 1}],
        "operations[1] (test /a): the document has no 'a'",
    ),
]


@pytest.mark.parametrize(("document", "steps", "left"), [case[1:] for case in APPENDIX], ids=[c[0] for c in APPENDIX])
def test_the_examples_of_the_rfc(document: Any, steps: list[Step], left: Any) -> None:
    before = copy.deepcopy(document)
    assert same_json(apply_patch(document, steps), left)
    assert same_json(document, before), "a copy is changed"


@pytest.mark.parametrize(("document", "steps", "why"), REFUSED, ids=[str(case[2]) for case in REFUSED])
def test_what_cannot_be_done_is_refused_by_name(document: Any, steps: list[Step], why: str) -> None:
    before = copy.deepcopy(document)
    with pytest.raises(ToolFailure) as caught:
        apply_patch(document, steps)
    assert caught.value.code == "bad_argument"
    assert why in caught.value.message
    assert same_json(document, before), "nothing has changed"


def published() -> Iterator[Step]:
    folder = npm_packages(HERE / "rfc6902") / "json-patch-test-suite"
    for name in ("tests.json", "spec_tests.json"):
        yield from json.loads((folder / name).read_text())


def test_the_published_conformance_cases_agree() -> None:
    """All of them, those that their authors disabled too, where a parsed document can express them."""
    disagreeing, agreeing = [], 0
    for case in published():
        if UNDECIDABLE in str(case.get("error")):
            continue
        try:
            left = apply_patch(case["doc"], case["patch"])
            agrees = "error" not in case and same_json(left, case.get("expected", case["doc"]))
        except ToolFailure:
            agrees = "error" in case
        disagreeing += [] if agrees else [case]
        agreeing += agrees
    assert disagreeing == []
    assert agreeing >= 93


# RFC 6901, section 5: the pointers of the example document and their values.
POINTED: Step = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", POINTED),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_pointers_of_the_rfc(pointer: str, value: Any) -> None:
    assert read_pointer(POINTED, pointer) == value


def test_a_patch_is_limited_in_number_and_in_what_it_makes() -> None:
    with pytest.raises(ToolFailure, match="at most 1000"):
        apply_patch({}, [{"op": "add", "path": "/a", "value": 1}] * (MOST_OPERATIONS + 1))
    doubling = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(40)]
    with pytest.raises(ToolFailure) as caught:
        apply_patch({"text": "x" * 100}, doubling)
    assert caught.value.code == "too_large"
    assert "operations[1" in caught.value.message
    replacing = [{"op": "replace", "path": "/a", "value": "x" * (MOST_BYTES // 4)}] * 9
    assert len(apply_patch({"a": ""}, replacing)["a"]) == MOST_BYTES // 4, "what is replaced does not count"


def test_a_document_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = {}
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(ToolFailure, match="nested too deeply"):
        apply_patch({}, [{"op": "add", "path": "/a", "value": deep}])


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"on": True}, {"on": 1}, True),
        ({"on": [False]}, {"on": [0]}, True),
        ({"n": 1}, {"n": 1.0}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (None, {}, True),
        ([1, 2], [2, 1], True),
        ("1", 1, True),
    ],
)
def test_what_counts_as_changed_is_json(before: Any, after: Any, changed: bool) -> None:
    assert Diff(before, after).changed is changed
