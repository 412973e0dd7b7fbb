"""JSON patches as the API server applies them: the table holds what evanphx/json-patch 4.13 makes of each."""

import copy
from typing import Any

import pytest

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.served_patch import apply_served

DOCUMENT: dict[str, Any] = {"a": {"b": "1"}, "l": ["x", {"k": 1}, "z"], "n": None}
TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"op": "add", "path": "/l/-1", "value": 0}, {"l": ["x", {"k": 1}, "z", 0]}),
    ({"op": "add", "path": "/l/-4", "value": 0}, {"l": [0, "x", {"k": 1}, "z"]}),
    ({"op": "add", "path": "/l/-2/j", "value": 0}, {"l": ["x", {"k": 1, "j": 0}, "z"]}),
    ({"op": "replace", "path": "/l/-1", "value": 0}, {"l": ["x", {"k": 1}, 0]}),
    ({"op": "replace", "path": "/l/+00", "value": 0}, {"l": [0, {"k": 1}, "z"]}),
    ({"op": "remove", "path": "/l/-3"}, {"l": [{"k": 1}, "z"]}),
    ({"op": "test", "path": "/l/-2/k", "value": 1}, {}),
    ({"op": "copy", "from": "/l/-1", "path": "/a/c"}, {"a": {"b": "1", "c": "z"}}),
    ({"op": "copy", "from": "/a/b", "path": "/l/-1"}, {"l": ["x", {"k": 1}, "z", "1"]}),
    ({"op": "move", "from": "/l/-3", "path": "/l/-1"}, {"l": [{"k": 1}, "z", "x"]}),
    ({"op": "move", "from": "/l/-1", "path": "/l/0"}, {"l": ["z", "x", {"k": 1}]}),
    ({"op": "replace", "path": "/a/absent", "value": 0}, {"a": {"b": "1", "absent": 0}}),
    ({"op": "test", "path": "/a/absent", "value": None}, {}),
    ({"op": "test", "path": "/n", "value": None}, {}),
    ({"op": "copy", "from": "/a/absent", "path": "/a/c"}, {"a": {"b": "1", "c": None}}),
    ({"op": "add", "path": "/a/-1", "value": 0}, {"a": {"b": "1", "-1": 0}}),
]
REFUSED: list[dict[str, Any]] = [
    {"op": "add", "path": "/l/-5", "value": 0},
    {"op": "add", "path": "/l/4", "value": 0},
    {"op": "replace", "path": "/l/-4", "value": 0},
    {"op": "replace", "path": "/none/x", "value": 0},
    {"op": "replace", "path": "/l/3", "value": 0},
    {"op": "test", "path": "/none/x", "value": None},
    {"op": "test", "path": "/a/absent", "value": 0},
    {"op": "remove", "path": "/a/absent"},
    {"op": "move", "from": "/a/absent", "path": "/a/c"},
    {"op": "copy", "from": "/none/x", "path": "/a/c"},
    {"op": "copy", "from": "/l/3", "path": "/a/c"},
]


@pytest.mark.parametrize(("operation", "changed"), TAKEN)
def test_what_the_api_server_takes(operation: dict[str, Any], changed: dict[str, Any]) -> None:
    given = copy.deepcopy(DOCUMENT)
    assert apply_served(given, operation, "patch") == {**DOCUMENT, **changed}
    assert given == DOCUMENT


@pytest.mark.parametrize("operation", REFUSED)
def test_what_the_api_server_refuses(operation: dict[str, Any]) -> None:
    with pytest.raises(ToolFailure):
        apply_served(DOCUMENT, operation, "patch")
