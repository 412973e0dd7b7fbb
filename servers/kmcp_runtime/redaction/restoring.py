"""Marks that come back: where a caller sends what an answer showed, the live value is kept in place of its mark.

A mark is kept only where that is certain: it stands at the place, in the text and with the digest, where the redacted
live object has it. Whatever is left is refused: stored, it would stand in place of the real value. In the end both
sides are hidden once more and compared, so no value comes to a place where an answer would show it.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from kmcp_runtime.errors import ToolFailure, bad_argument
from kmcp_runtime.json_patch import apply_patch, read_steps, same_json, split_pointer
from kmcp_runtime.redaction.marked_lines import restore_lines
from kmcp_runtime.redaction.marks import HIDDEN, MARK, find_mark
from kmcp_runtime.redaction.structures import hide_in_value

_ABSENT = object()
_IDENTITIES = ("name", "key", "uid", "id", "refId", "mountPath", "containerPort", "ip", "host", "path")
"""What tells the items of a list apart; the first that an item has is its identity."""
_FLAG = re.compile(r"-[^=]*")


def refuse_marks(arguments: Any, why: str = "") -> None:
    """Refuse arguments that hold a mark; the message names the place."""
    found = find_mark(arguments)
    if found:
        _refuse(found, why)


def restore(sent: Any, live: Any, argument: str, around: Callable[[Any], Any] = lambda merged: merged) -> Any:
    """What a caller sent, with the live values in place of their marks; `bad_argument` names a mark that is not live's.

    `live` is the object as the backend has it, None when there is none; `around` puts what was sent into the object
    that it is a part of, since what is hidden depends on what stands beside it.
    """
    if find_mark(sent) is None:
        return sent
    shown = hide_in_value(live)
    merged = _merge(sent, _ABSENT if live is None else live, shown, argument, bare=True)
    if _looks(around(sent)) != _looks(around(merged)):
        _refuse(find_mark(sent, argument) or argument, "its surroundings have changed")
    return merged


def restore_operations(operations: Any, live: Any, argument: str) -> Any:
    """The same for a JSON patch: the value of an `add` or `replace` may repeat what stands at its path."""
    if find_mark(operations) is None:
        return operations
    found = []
    state = live
    for number, operation in enumerate(operations):
        where = f"{argument}[{number}]"
        refuse_marks({where: {key: value for key, value in operation.items() if key != "value"}})
        sure = dict(operation)
        if find_mark(operation.get("value")) is not None:
            sure["value"] = _value_at(operation, live, state, f"{where}.value")
        found.append(sure)
        state = apply_patch(state, [sure], argument)
    return found


def _value_at(operation: Mapping[str, Any], live: Any, state: Any, place: str) -> Any:
    """The value of an operation on `state`, which earlier operations made of `live`."""
    steps = split_pointer(operation["path"], place)
    if operation["op"] not in ("add", "replace"):
        _refuse(place, "only add and replace can keep a live value")
    if operation["op"] == "add" and steps and isinstance(read_steps(state, steps[:-1]), list):
        _refuse(place, "it would be a new item of a list")
    try:
        stands, stood = read_steps(state, steps), read_steps(live, steps)
    except ToolFailure:
        _refuse(place, "there is no live value")
    if not same_json(stands, stood):
        _refuse(place, "earlier operations have changed what stands there")
    shown = read_steps(hide_in_value(live), steps)
    merged = _merge(operation["value"], stood, shown, place, bare=True)
    before, after = (apply_patch(state, [{**operation, "value": value}]) for value in (operation["value"], merged))
    if _looks(before) != _looks(after):
        _refuse(place, "its surroundings have changed")
    return merged


def _refuse(place: str, why: str = "") -> NoReturn:
    raise bad_argument(
        f"{place} is not the real value but what answers show in place of a secret" + (f": {why}" if why else ""),
        "leave it out: change the other fields alone (a patch, or without this field), so the real value stays",
    )


def _looks(node: Any) -> str:
    """How an answer would show it, whatever the digests are."""
    return MARK.sub(HIDDEN, json.dumps(hide_in_value(node), sort_keys=True, ensure_ascii=False, default=str))


def _merge(sent: Any, live: Any, shown: Any, path: str, bare: bool) -> Any:
    """`bare`: a mark without a digest is trusted, since the place in the object is sure."""
    if find_mark(sent) is None:
        return sent
    if live is _ABSENT:
        _refuse(find_mark(sent, path) or path, "there is no live value")
    if isinstance(sent, str):
        return _text(sent, live, shown, path, bare)
    if isinstance(sent, Mapping) and isinstance(live, Mapping) and isinstance(shown, Mapping):
        for key in sent:
            refuse_marks(key, f"it is a key of {path}")
        return {
            key: _merge(item, live.get(key, _ABSENT), shown.get(key, _ABSENT), f"{path}.{key}", bare)
            for key, item in sent.items()
        }
    if isinstance(sent, list) and isinstance(live, list) and isinstance(shown, list):
        if sent == shown and bare:
            return live
        # A private key that spans several items is hidden as one, so the items do not correspond.
        if len(live) == len(shown):
            return [_item(sent, number, live, shown, f"{path}.{number}", bare) for number in range(len(sent))]
    _refuse(find_mark(sent, path) or path, "the live value has another form")


def _text(sent: str, live: Any, shown: Any, path: str, bare: bool) -> Any:
    if sent == shown and (bare or HIDDEN not in sent):
        return live
    if isinstance(live, str) and isinstance(shown, str) and HIDDEN not in sent:
        document = _inside(sent, live, shown, path)
        found = document if document is not None else restore_lines(sent, live, shown)
        if found is not None:
            return found
    _refuse(find_mark(sent, path) or path, "it does not stand where the live value has it")


def _inside(sent: str, live: str, shown: str, path: str) -> str | None:
    """The same for a JSON document inside a text; None when it is none."""
    if not all(text.lstrip()[:1] in ("{", "[") for text in (sent, live, shown)):
        return None
    try:
        parsed = [json.loads(text) for text in (sent, live, shown)]
    except (ValueError, RecursionError):
        return None
    merged = _merge(parsed[0], parsed[1], parsed[2], path, bare=False)
    return json.dumps(merged, ensure_ascii=False, indent=2 if "\n" in sent.strip() else None)


def _item(sent: list[Any], number: int, live: list[Any], shown: list[Any], path: str, bare: bool) -> Any:
    item = sent[number]
    if find_mark(item) is None:
        return item
    same_place = len(sent) == len(shown) and number < len(live)
    if isinstance(item, Mapping):
        at = _identified(sent, item, shown)
        if at is not None:
            return _merge(item, live[at], shown[at], path, bare)
        if same_place:
            # Nothing but the number says which one it is: a mark without a digest is sure only if nothing has changed.
            equal = item == shown[number]
            return _merge(item, live[number], shown[number], path, bare and equal)
    elif isinstance(item, str):
        at = _placed(sent, number, shown, bare)
        if at is not None:
            return live[at]
        if same_place and item != shown[number]:
            return _merge(item, live[number], shown[number], path, bare=False)
    elif same_place:
        return _merge(item, live[number], shown[number], path, bare and item == shown[number])
    _refuse(find_mark(item, path) or path, "which item of the live list it is cannot be known")


def _identified(sent: list[Any], item: Mapping[str, Any], shown: list[Any]) -> int | None:
    """Where the live list has the item with this name; None when that is not sure."""
    key = next((each for each in _IDENTITIES if isinstance(item.get(each), str | int)), None)
    if key is None or sum(isinstance(each, Mapping) and each.get(key) == item[key] for each in sent) != 1:
        return None
    found = [at for at, each in enumerate(shown) if isinstance(each, Mapping) and each.get(key) == item[key]]
    if not found:
        _refuse(f"the item with {key} {item[key]!r}"[:80], "the live list has no such item")
    return found[0] if len(found) == 1 else None


def _placed(sent: list[Any], number: int, shown: list[Any], bare: bool) -> int | None:
    """Where the live list has this text, behind the same flag; None when that is not sure."""
    item = sent[number]
    if len(sent) == len(shown) and shown[number] == item:
        found = [number] if bare or HIDDEN not in item else []
    elif HIDDEN not in item and sent.count(item) == 1:
        found = [at for at, each in enumerate(shown) if each == item]
    else:
        found = []
    if len(found) != 1:
        return None
    before = shown[found[0] - 1] if found[0] else None
    flagged = isinstance(before, str) and _FLAG.fullmatch(before) is not None and not item.startswith("-")
    return None if flagged and (not number or sent[number - 1] != before) else found[0]
