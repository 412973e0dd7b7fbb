"""JSON Pointer (RFC 6901) and JSON Patch (RFC 6902), by the libraries `jsonpointer` and `jsonpatch`.

What is added here: failures name the operation, its path and what is there instead; the number of operations and the
size of the document are limited; `-` never reads anything; members are compared as JSON, where `true` is not `1`.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import jsonpatch
from jsonpointer import EndOfList, JsonPointer, JsonPointerException
from pydantic import BaseModel, ConfigDict, Field

from kmcp_runtime.errors import ToolFailure, bad_argument, suggesting
from kmcp_runtime.findings import POINTER

MOST_OPERATIONS = 1_000
MOST_BYTES = 16 * 1024 * 1024
"""Size that operations let a document grow to, as compact JSON."""

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_NEED_VALUE = ("add", "replace", "test")
_NEED_FROM = ("move", "copy")
_INSERTS = ("add", "move", "copy")
_MOST_KEYS = 20
_MOST_SHOWN = 100


class Operation(BaseModel):
    """One operation as an argument of a tool: RFC 6902 ignores unknown members, here a misspelt one is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Annotated[str, Field(pattern=POINTER)]
    value: Any = None
    from_: Annotated[str | None, Field(alias="from", pattern=POINTER)] = None


def apply_patch(document: Any, operations: Sequence[Mapping[str, Any]], argument: str = "operations") -> Any:
    """A copy of the document after all operations; the document that was given stays as it is.

    `bad_argument` names the first operation that cannot be done, and why; `too_large` says which limit is passed.
    `argument` is what failures call the list of operations.
    """
    check_operations(operations, argument)
    named = (
        (operation, f"{argument}[{number}] ({operation['op']} {operation['path'] or 'the whole document'})")
        for number, operation in enumerate(operations)
    )
    return _apply(document, named, argument)


def apply_operation(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    """The same of one operation whose shape is right; failures call it `where`."""
    return _apply(document, [(operation, where)], where)


def _apply(document: Any, operations: Iterable[tuple[Mapping[str, Any], str]], argument: str) -> Any:
    try:
        return _apply_each(copy.deepcopy(document), operations)
    except RecursionError:
        raise ToolFailure("too_large", f"{argument}: the document is nested too deeply") from None


def _apply_each(result: Any, operations: Iterable[tuple[Mapping[str, Any], str]]) -> Any:
    size = _size(result)
    for operation, where in operations:
        added = _added(result, operation, where)
        if size + added > MOST_BYTES:
            # What was removed is not subtracted, since measuring is slow: measure again before refusing.
            size = _size(result)
        if size + added > MOST_BYTES:
            raise ToolFailure("too_large", f"{where}: the document would have more than {MOST_BYTES} bytes as JSON")
        try:
            # One at a time: the library's exception does not say which of many has failed.
            result = jsonpatch.JsonPatch([operation]).apply(result, in_place=True)
        except (jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise _explain(result, operation, error, where) from None
        size += added
    return result


def _added(document: Any, operation: Mapping[str, Any], where: str) -> int:
    """By how many bytes an operation lets the document grow at most."""
    if operation["op"] == "copy":
        # Each copy can double the document: 30 operations would make 16 GiB of 16 bytes.
        return _size(read_pointer(document, operation["from"], f"{where}: from"))
    return _size(operation["value"]) if operation["op"] in ("add", "replace") else 0


def check_operations(operations: Any, argument: str = "operations") -> None:
    """Check the shape of a patch: `bad_argument` names the first operation that is not one."""
    if not isinstance(operations, Sequence) or isinstance(operations, str):
        raise bad_argument(f"{argument}: a JSON patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise ToolFailure(
            "too_large", f"{argument}: {len(operations)} operations, at most {MOST_OPERATIONS}", "send them in parts"
        )
    for number, operation in enumerate(operations):
        fault = _shape_fault(operation)
        if fault:
            raise bad_argument(f"{argument}[{number}]: {fault}")


def read_pointer(document: Any, pointer: str, argument: str = "path") -> Any:
    """The value that a JSON pointer names; `bad_argument` says where the pointer leads nowhere."""
    return read_steps(document, split_pointer(pointer, argument), argument)


def split_pointer(pointer: str, argument: str = "path") -> list[str]:
    """The steps of a JSON pointer, unescaped."""
    try:
        return list(JsonPointer(pointer).parts)
    except JsonPointerException:
        raise bad_argument(
            f"{argument}: {pointer!r} is not a JSON pointer",
            "start it with '/'; in a key write ~1 for '/' and ~0 for '~'",
        ) from None


def join_pointer(steps: Sequence[str]) -> str:
    """The steps as a JSON pointer."""
    return str(JsonPointer.from_parts(steps).path)


def read_steps(document: Any, steps: Sequence[str], argument: str = "path") -> Any:
    """The value below these steps, which are keys and indexes as texts."""
    for number, step in enumerate(steps):
        try:
            found = JsonPointer.from_parts([step]).resolve(document)
        except JsonPointerException:
            raise _lacks(document, steps[:number], step, argument) from None
        if isinstance(found, EndOfList):
            # RFC 6901, 4: `-` is the item after the last one, which does not exist.
            raise _lacks(document, steps[:number], step, argument)
        document = found
    return document


def same_json(first: Any, second: Any) -> bool:
    """Whether two values are the same JSON: `1` is `1.0` (RFC 6902, 4.6), but `true` is not `1` as in Python."""
    if first is second:
        return True
    # The library compares documents this way inside of operations only; these two are never applied.
    operations = [jsonpatch.TestOperation({"op": "test", "path": "", "value": value}) for value in (first, second)]
    return operations[0] == operations[1]


def _shape_fault(operation: Any) -> str | None:
    if not isinstance(operation, Mapping):
        return "an operation is an object with op and path"
    kind = operation.get("op")
    if kind not in _OPERATIONS:
        return f"op is {kind!r}, not one of {', '.join(_OPERATIONS)}"
    pointers = ("path", "from") if kind in _NEED_FROM else ("path",)
    for name in pointers:
        pointer = operation.get(name)
        if pointer is None:
            return f"{kind} needs {name}"
        if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
            return f"{name} is {pointer!r}, but a path starts with '/' ('/' in a key is written ~1)"
    if kind in _NEED_VALUE and "value" not in operation:
        return f"{kind} needs a value"
    return None


def _explain(document: Any, operation: Mapping[str, Any], error: Exception, where: str) -> ToolFailure:
    """Why the library refused: found by walking the pointers again, since its messages name neither step nor keys."""
    kind = operation["op"]
    try:
        if kind in _NEED_FROM:
            read_pointer(document, operation["from"], f"{where}: from")
        steps = split_pointer(operation["path"], where)
        if kind not in _INSERTS:
            found = read_steps(document, steps, where)
            if kind == "test":
                return bad_argument(f"{where}: the value is {_shown(found)}", "read it again")
        elif steps:
            parent = read_steps(document, steps[:-1], where)
            if isinstance(parent, list):
                name = join_pointer(steps[:-1]) or "the document"
                return bad_argument(
                    f"{where}: {name} has {len(parent)} items, so nothing can be added at {steps[-1]!r}",
                    f"use an index from 0 to {len(parent)}, or - for the end",
                )
            if not isinstance(parent, dict):
                return _lacks(parent, steps[:-1], steps[-1], where)
    except ToolFailure as failure:
        return failure
    if kind == "remove":
        return bad_argument(f"{where}: the whole document cannot be removed")
    return bad_argument(f"{where}: {str(error)[:_MOST_SHOWN]}")


def _lacks(node: Any, before: Sequence[str], step: str, argument: str) -> ToolFailure:
    name = join_pointer(before) or "the document"
    if isinstance(node, dict):
        keys = ", ".join(list(node)[:_MOST_KEYS]) + (", …" if len(node) > _MOST_KEYS else "")
        return bad_argument(
            suggesting(f"{argument}: {name} has no {step!r}", step, node),
            f"it has {keys or 'no members'}",
        )
    if isinstance(node, list):
        return bad_argument(f"{argument}: {name} has {len(node)} items, and no {step!r}", "indexes count from 0")
    return bad_argument(f"{argument}: {name} is {_shown(node)}, which has no {step!r}")


def _size(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
