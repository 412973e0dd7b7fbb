"""JSON Patch (RFC 6902) over a dashboard's model: every operation is checked, and one that fails changes nothing."""

import copy
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kmcp_grafana import pointers
from kmcp_grafana.results import Row
from kmcp_runtime import bad_argument

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
    result: Any = copy.deepcopy(model)
    for number, operation in enumerate(operations):
        result = _after(result, operation, f"operations[{number}]")
    if not isinstance(result, dict):
        raise bad_argument("operations: they leave no model", "a model is an object")
    return result


def _after(model: Any, operation: Row, where: str) -> Any:
    kind, path = operation["op"], pointers.parts(operation["path"], where)
    if kind in _VALUED and "value" not in operation:
        raise bad_argument(f"{where}: {kind} needs a value")
    if kind in _FROM and operation.get("from") is None:
        raise bad_argument(f"{where}: {kind} needs from")
    if kind == "test":
        _test(pointers.found_at(model, path, where), operation["value"], path, where)
        return model
    if kind == "remove":
        _take(model, path, where)
        return model
    value = operation.get("value")
    if kind in _FROM:
        source = pointers.parts(operation["from"], where)
        value = _take(model, source, where) if kind == "move" else pointers.found_at(model, source, where)
    return _with(model, path, copy.deepcopy(value), where, insert=kind != "replace")


def _test(found: Any, wanted: Any, path: list[str], where: str) -> None:
    if found != wanted:
        told = repr(found)
        told = told if len(told) <= 100 else f"{told[:100]}…"
        raise bad_argument(f"{where}: test of {pointers.written(path)} failed: it is {told}", "read it again")


def _with(model: Any, path: list[str], value: Any, where: str, *, insert: bool) -> Any:
    """A member or an item set; `insert` puts a list's item before what is there, and may name a new member."""
    if not path:
        return value
    *before, last = path
    parent = pointers.found_at(model, before, where)
    if isinstance(parent, list) and insert:
        at = len(parent) if last == _END else pointers.index(last, len(parent) + 1, before, where)
        parent.insert(at, value)
    elif isinstance(parent, list):
        parent[pointers.index(last, len(parent), before, where)] = value
    else:
        if not isinstance(parent, dict) or (not insert and last not in parent):
            pointers.child(parent, last, before, where)
        parent[last] = value
    return model


def _take(model: Any, path: list[str], where: str) -> Any:
    if not path:
        raise bad_argument(f"{where}: the whole model cannot be taken away", "action=delete deletes a dashboard")
    *before, last = path
    parent = pointers.found_at(model, before, where)
    value = pointers.child(parent, last, before, where)
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return value
