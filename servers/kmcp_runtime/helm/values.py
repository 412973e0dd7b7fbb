"""Values: given as data or YAML text, single ones by path, merged as Helm merges them."""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_runtime import yaml_text
from kmcp_runtime.errors import ToolFailure, bad_argument, nearest, not_found, quoted_list

Values = dict[str, Any]
# An index fills the list up to it: `a[999999999]=1` must not use up the memory.
_MOST_ITEMS = 1_000
_MOST_KEYS = 20
"""How many keys a hint names."""
_STEP = re.compile(r"(?s)((?:\\.|[^\\.\[\]=,{}\s])+)((?:\[\d+\])*)")


def merged(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Values:
    """`given` over a chart's `defaults`: maps are merged, all else is replaced, a null removes a default."""
    # A null deletes a key only where the chart has a default for it (coalesceValues).
    kept = {key: value for key, value in given.items() if value is not None or key not in defaults}
    return _tables(kept, {key: value for key, value in defaults.items() if key not in given or key in kept})


def _tables(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Values:
    result: Values = {}
    for key, value in given.items():
        default = defaults.get(key)
        if value is None and default is not None:
            continue
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            result[key] = _tables(value, default)
        else:
            result[key] = copy.deepcopy(value)
    return result | {key: copy.deepcopy(value) for key, value in defaults.items() if key not in given}


def parsed(text: str, argument: str = "values") -> Values:
    """Values written as YAML or JSON."""
    try:
        found = yaml_text.read(text, repeated_keys=True)
    except yaml_text.YamlError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise bad_argument(f"{argument}: not valid YAML{place}: {getattr(error, 'problem', None) or error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_argument(f"{argument}: it must be an object, not {type(found).__name__}", "give keys and values")
    return found


def read(given: Any) -> Any:
    """The values of an argument as an object, also when they are given as YAML text."""
    if not isinstance(given, str):
        return given
    try:
        return parsed(given)
    except ToolFailure as failure:
        raise ValueError(failure.message.removeprefix("values: ")) from None


def with_set(given: Mapping[str, Any], changes: Mapping[str, Any]) -> Values:
    """The values with single ones set: `image.tag`, `servers[0].port`, `annotations.example\\.com/a`.

    As `--set-json` does, but here, so that no value appears in a process list.
    """
    result: Any = copy.deepcopy(dict(given))
    for path, value in changes.items():
        result = _placed(result, steps(path), value, path)
    found: Values = result
    return found


def as_json(given: Mapping[str, Any]) -> str:
    return json.dumps(given, ensure_ascii=False, allow_nan=False)


def steps(path: str, argument: str = "set") -> list[str | int]:
    """The keys and indexes of a path as `--set` takes it: `image.tag`, `servers[0].port`, `a\\.b`."""
    found: list[str | int] = []
    at = 0
    while at < len(path) or not found:
        match = _STEP.match(path, at)
        if match is None or (match.end() < len(path) and path[match.end()] != "."):
            rest = "; lists and objects go into values" if argument == "set" else ""
            raise bad_argument(
                f"{argument}: {path[:200]!r} is not a path to a value",
                rf"write image.tag, servers[0].port, or a\.b for a key with a dot{rest}",
            )
        found.append(re.sub(r"(?s)\\(.)", r"\1", match[1]))
        found += [int(index) for index in re.findall(r"\d+", match[2])]
        at = match.end() + 1
        if at == len(path):
            raise bad_argument(f"{argument}: {path[:200]!r} ends with a dot", "name a value")
    return found


def check_path(given: Any, path: str, wanted: Sequence[str | int], argument: str = "path") -> None:
    """Refuse a path that leads to no value; the hint names what is there."""
    node, done = given, 0
    while done < len(wanted):
        step = wanted[done]
        there = _keys(node)
        if step not in there:
            above = f"below its first {done} steps" if done else "at the top"
            near = nearest(str(step), map(str, there)) if isinstance(step, str) else []
            hint = f"did you mean {quoted_list(near)}?" if near else f"there: {_few(there) or 'no key'}"
            raise not_found(f"{argument}: {path[:200]!r} leads to no value: {step!r} is not {above}", hint)
        node, done = node[step], done + 1


def _keys(node: Any) -> Sequence[Any]:
    if isinstance(node, Mapping):
        return list(node)
    return range(len(node)) if isinstance(node, list) else ()


def _few(keys: Sequence[Any]) -> str:
    shown = quoted_list(map(str, keys[:_MOST_KEYS]))
    return f"{shown}, …" if len(keys) > _MOST_KEYS else shown


def _placed(node: Any, left: list[str | int], value: Any, path: str) -> Any:
    if not left:
        return value
    step, rest = left[0], left[1:]
    if isinstance(step, str):
        table = node if isinstance(node, dict) else {}
        return {**table, step: _placed(table.get(step), rest, value, path)}
    if step >= _MOST_ITEMS:
        raise bad_argument(f"set: {path!r} has an index over {_MOST_ITEMS - 1}", "give the whole list in values")
    items = list(node) if isinstance(node, list) else []
    items += [None] * (step + 1 - len(items))
    items[step] = _placed(items[step], rest, value, path)
    return items
