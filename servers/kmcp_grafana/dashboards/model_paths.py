"""Paths into a dashboard's model: JSON pointers (`/panels/0/title`) and simple JSONPaths (`$.panels[0].title`)."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from kmcp_runtime import bad_argument
from kmcp_runtime.json_patch import read_steps, split_pointer

ModelPath = Annotated[str, "JSON pointer or JSONPath into the model"]

# RFC 9535, 2.3.3: an index is ASCII digits without leading zeros (`\d` would match those of every script).
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(0|[1-9][0-9]*)\]|(\[\*\])|\[['\"]([^'\"]+)['\"]\]")
_EVERY = "[*]"


def read_path(model: Any, path: str) -> Any:
    """The value at a path, `$` or nothing for the whole; a list of values where the path has `[*]`.

    `bad_argument` when it is not a path, or when nothing is there.
    """
    if path.startswith("/") or path in ("", "$"):
        return read_steps(model, [] if path == "$" else split_pointer(path))
    return _read(model, _split_json_path(path))


def _split_json_path(path: str) -> list[str | None]:
    """The steps of a JSONPath; None stands for every item of a list."""
    rest = path.removeprefix("$")
    # Models write `panels[0].title` for `$.panels[0].title` as often as not.
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    matches = list(_STEP.finditer(rest))
    if "".join(match[0] for match in matches) != rest:
        raise bad_argument(f"path: {path!r} is not a path", "write /panels/0/title or $.panels[0].title")
    return [None if match[0] == _EVERY else next(filter(None, match.groups())) for match in matches]


def _read(node: Any, steps: Sequence[str | None]) -> Any:
    if None not in steps:
        return read_steps(node, [step for step in steps if step is not None])
    number = steps.index(None)
    items = read_steps(node, [step for step in steps[:number] if step is not None])
    if not isinstance(items, list):
        raise bad_argument("path: [*] stands for the items of a list, and the value there is not a list")
    return [_read(item, steps[number + 1 :]) for item in items]
