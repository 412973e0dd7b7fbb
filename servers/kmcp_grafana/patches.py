"""JSON Patch (RFC 6902) over a dashboard's model: every operation is checked, and one that fails changes nothing."""

import copy
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kmcp_grafana import pointers
from kmcp_grafana.results import Row
from kmcp_runtime.errors import bad_argument

_VALUED = ("add", "replace", "test")
_FROM = ("move", "copy")
_END = "-"


class Operation(BaseModel):
    """One step of a patch."""

    model_config = ConfigDict(extra="forbid", strict=True)

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Annotated[str, Field(pattern=r"^(/|$)")]
    value: Any = None
    from_: Annotated[str | None, Field(alias="from", pattern=r"^(/|$)")] = None


def applied(model: Row, operations: list[Row]) -> Row:
    """A copy of the model after all operations; `bad_argument` names the one that cannot be done, and why."""
    holder = {"model": copy.deepcopy(model)}
    for number, operation in enumerate(operations):
        _apply(holder, operation, f"operations[{number}]")
    result = holder["model"]
    if not isinstance(result, dict):
        raise bad_argument("operations: they leave no model", "a model is an object")
    return result


def _apply(holder: Row, operation: Row, where: str) -> None:
    kind, path = operation["op"], _steps(operation["path"], where)
    if kind in _VALUED and "value" not in operation:
        raise bad_argument(f"{where}: {kind} needs a value")
    if kind in _FROM and operation.get("from") is None:
        raise bad_argument(f"{where}: {kind} needs from")
    if kind == "test":
        _test(pointers.found_at(holder, path, where), operation["value"], path, where)
    elif kind == "replace":
        _put(holder, path, copy.deepcopy(operation["value"]), where, insert=False)
    elif kind == "add":
        _put(holder, path, copy.deepcopy(operation["value"]), where, insert=True)
    elif kind == "remove":
        _take(holder, path, where)
    else:
        source = _steps(operation["from"], where)
        value = _take(holder, source, where) if kind == "move" else copy.deepcopy(
            pointers.found_at(holder, source, where)
        )  # fmt: skip
        _put(holder, path, value, where, insert=True)


def _steps(path: str, where: str) -> list[str]:
    return ["model", *pointers.parts(path, where)]


def _test(found: Any, wanted: Any, path: list[str], where: str) -> None:
    if found != wanted:
        told = repr(found)
        told = told if len(told) <= 100 else f"{told[:100]}…"
        raise bad_argument(f"{where}: test of {pointers.written(path[1:])} failed: it is {told}", "read it again")


def _put(holder: Row, path: list[str], value: Any, where: str, *, insert: bool) -> None:
    """Set a member or an item; `insert` puts a list's item before what is there, and may name a new member."""
    *before, last = path
    parent = pointers.found_at(holder, before, where)
    if isinstance(parent, list):
        if insert:
            at = len(parent) if last == _END else _position(last, len(parent) + 1, before, where)
            parent.insert(at, value)
        else:
            parent[_position(last, len(parent), before, where)] = value
        return
    if not isinstance(parent, dict) or (not insert and last not in parent):
        pointers.child(parent, last, before[1:], where)
    parent[last] = value


def _take(holder: Row, path: list[str], where: str) -> Any:
    *before, last = path
    parent = pointers.found_at(holder, before, where)
    value = pointers.child(parent, last, before[1:], where)
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return value


def _position(step: str, length: int, before: list[str], where: str) -> int:
    return pointers.index(step, length, before[1:], where)
