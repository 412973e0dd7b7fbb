"""Paths into a dashboard's model: JSON pointers (`/panels/0/title`) and simple JSONPaths (`$.panels[0].title`)."""

import re
from collections.abc import Sequence
from typing import Any

from kmcp_runtime import ToolFailure, bad_argument, did_you_mean

_JSONPATH = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+|\*)\]|\[['\"]([^'\"]+)['\"]\]")
_ALL = "*"
_MOST_KEYS = 20


def parts(path: str, argument: str = "path") -> list[str]:
    """The steps of a path; `$` or nothing is the whole."""
    if path in ("", "$"):
        return []
    if path.startswith("/"):
        return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    rest = path.removeprefix("$")
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    steps = [next(found for found in match.groups() if found) for match in _JSONPATH.finditer(rest)]
    if "".join(match[0] for match in _JSONPATH.finditer(rest)) != rest:
        raise bad_argument(f"{argument}: {path!r} is no path", "write /panels/0/title or $.panels[0].title")
    return steps


def found_at(node: Any, steps: Sequence[str], argument: str = "path") -> Any:
    """The value at a path; `*` goes through every item of a list. `bad_argument` says where it ends."""
    for number, step in enumerate(steps):
        if step == _ALL and isinstance(node, list):
            return [found_at(item, steps[number + 1 :], argument) for item in node]
        node = child(node, step, steps[:number], argument)
    return node


def child(node: Any, step: str, before: Sequence[str], argument: str) -> Any:
    """One step down."""
    if isinstance(node, dict):
        if step not in node:
            raise _nowhere(argument, before, step, list(node))
        return node[step]
    if isinstance(node, list):
        return node[index(step, len(node), before, argument)]
    raise bad_argument(f"{argument}: {written(before)} is {_kind(node)}, which has no {step!r}")


def index(step: str, length: int, before: Sequence[str], argument: str) -> int:
    if not step.isdecimal() or int(step) >= length:
        raise bad_argument(f"{argument}: {written(before)} has {length} items, no {step!r}", "items count from 0")
    return int(step)


def written(steps: Sequence[str]) -> str:
    """The steps as a JSON pointer."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps) or "the model"


def _nowhere(argument: str, before: Sequence[str], step: str, keys: Sequence[str]) -> ToolFailure:
    suggestion = did_you_mean(step, keys)
    told = ", ".join(keys[:_MOST_KEYS]) + (", …" if len(keys) > _MOST_KEYS else "")
    return bad_argument(
        f"{argument}: {written(before)} has no {step!r}" + (f": {suggestion}" if suggestion else ""),
        f"it has {told or 'nothing'}",
    )


def _kind(node: Any) -> str:
    return "null" if node is None else "a text" if isinstance(node, str) else f"a {type(node).__name__}"
