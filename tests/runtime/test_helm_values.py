"""Values: merged and set as Helm does it, read from YAML, every fault with its place."""

from typing import Any

import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.helm import values

DEFAULTS = {"a": 1, "t": {"x": 1, "y": {"z": 1}}, "l": [1, 2], "n": None}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, DEFAULTS),
        ({"a": 2, "b": 3}, {**DEFAULTS, "a": 2, "b": 3}),
        ({"t": {"y": {"w": 2}}}, {**DEFAULTS, "t": {"x": 1, "y": {"z": 1, "w": 2}}}),
        ({"l": [3]}, {**DEFAULTS, "l": [3]}),
        # A null takes a default away; one that has no default stays.
        ({"a": None}, {"t": DEFAULTS["t"], "l": [1, 2], "n": None}),
        ({"n": None}, {"a": 1, "t": DEFAULTS["t"], "l": [1, 2]}),
        ({"t": {"x": None, "new": None}}, {**DEFAULTS, "t": {"y": {"z": 1}, "new": None}}),
        ({"t": "text"}, {**DEFAULTS, "t": "text"}),
        ({"a": {"deep": 1}}, {**DEFAULTS, "a": {"deep": 1}}),
    ],
)
def test_given_values_go_over_the_defaults(given: dict[str, Any], expected: dict[str, Any]) -> None:
    before = repr((given, DEFAULTS))
    assert values.merged(given, DEFAULTS) == expected
    assert repr((given, DEFAULTS)) == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {"a": 9}),
        ("image.tag", {"a": 1, "image": {"tag": 9}}),
        ("servers[1].port", {"a": 1, "servers": [None, {"port": 9}]}),
        ("m[0][1]", {"a": 1, "m": [[None, 9]]}),
        (r"notes.example\.com/x", {"a": 1, "notes": {"example.com/x": 9}}),
        ("a.b", {"a": {"b": 9}}),
        ("-x", {"a": 1, "-x": 9}),
    ],
)
def test_single_values_are_set_by_path(path: str, expected: dict[str, Any]) -> None:
    assert values.with_set({"a": 1}, {path: 9}) == expected


def test_a_list_is_set_in_place() -> None:
    given: dict[str, Any] = {"servers": [{"host": "a", "port": 1}, {"host": "b"}]}
    assert values.with_set(given, {"servers[0].port": 2, "servers[1]": None}) == {
        "servers": [{"host": "a", "port": 2}, None]
    }
    assert given["servers"][0]["port"] == 1


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "[0]", "a=b", "a,b", "a b", "a[9999]"]
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ToolFailure) as caught:
        values.with_set({}, {path: 1})
    assert caught.value.code == "bad_argument"
    assert repr(path) in caught.value.message


def test_values_are_read_from_yaml() -> None:
    assert values.parsed("a: {b: [1, two]}\n") == {"a": {"b": [1, "two"]}}
    assert values.parsed("") == {}
    for text, why in [
        ("a: [", "line 2, column 1"),
        ("- 1", "it must be an object, not list"),
        ("a: !!python/object:os.x {}", "line 1"),
    ]:
        with pytest.raises(ToolFailure) as caught:
            values.parsed(text)
        assert caught.value.code == "bad_argument"
        assert why in caught.value.message
