"""The suite's own documentation: its texts, what its tools say of themselves, and the values of its chart."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kmcp_querydoc.sources.definitions import OWN, Source
from kmcp_querydoc.sources.page import Page
from kmcp_runtime import VERSION, read_yaml

_TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")
_CATALOG = "catalog.yaml"
_VALUES = "charts/kmcp/values.yaml"
_EVERYWHERE = ("approval", "cursor", "dry_run")
"""Arguments that mean the same in every tool: the README says what, and each page would seem to answer for them."""
_KEY = re.compile(r"^([A-Za-z]\w*):", re.MULTILINE)


def source() -> Source:
    return Source(product=OWN, version=VERSION, suite=True, aliases=("kmcp",))


def root() -> Path:
    """Where the texts are: beside this package where it was built into a wheel, else at the top of the checkout."""
    package = Path(__file__).parents[1]
    built_in = package / "own"
    return built_in if built_in.is_dir() else package.parents[1]


def pages(folder: Path) -> Iterator[Page]:
    """Texts that are not there are left out: an installation may have been made without them."""
    for name in _TEXTS:
        if (folder / name).is_file():
            yield Page(name, name, "markdown", (folder / name).read_text())
    if (folder / _VALUES).is_file():
        yield Page(_VALUES, _VALUES, "markdown", _values((folder / _VALUES).read_text()))
    if (folder / _CATALOG).is_file():
        content = read_yaml((folder / _CATALOG).read_text())
        for name, server in sorted(content["servers"].items()):
            path = f"tools/{name.removeprefix('kmcp-')}"
            yield Page(path, _CATALOG, "markdown", _tools(server))


def _values(text: str) -> str:
    """A chapter for each value at the top, with its comments."""
    keys = list(_KEY.finditer(text))
    parts = ["# Values of the chart"]
    begin = 0
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        end = _before_comments(text, following.start()) if following else len(text)
        parts.append(f"## {key[1]}\n\n```yaml\n{text[begin:end].strip()}\n```")
        begin = end
    return "\n\n".join(parts)


def _before_comments(text: str, at: int) -> int:
    """The comment lines right above a value belong to it."""
    lines = text[:at].splitlines(keepends=True)
    while lines and lines[-1].startswith("#"):
        at -= len(lines.pop())
    return at


def _tools(server: Mapping[str, Any]) -> str:
    parts = [f"# Tools of {server['title']}", server["description"]]
    for tool in server["tools"]:
        parts += [f"## {tool['name']}", f"{tool['description']} ({_effect(tool)})"]
        arguments = tool["inputSchema"].get("properties") or {}
        required = tool["inputSchema"].get("required") or ()
        own = {name: each for name, each in arguments.items() if name not in _EVERYWHERE}
        if own:
            parts.append("\n".join(_argument(name, each, name in required) for name, each in own.items()))
    return "\n\n".join(parts)


def _effect(tool: Mapping[str, Any]) -> str:
    told = str(tool.get("effect") or ", ".join(f"{name}: {effect}" for name, effect in tool["actions"].items()))
    return f"{told}; only when {tool['when']}" if tool.get("when") else told


def _argument(name: str, schema: Mapping[str, Any], required: bool) -> str:
    kind = schema.get("type", "")
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    values = f", one of {', '.join(map(str, schema['enum']))}" if schema.get("enum") else ""
    default = f", default {schema['default']}" if "default" in schema else ""
    return f"- `{name}` ({kind}{', required' if required else ''}{values}{default}): {schema.get('description', '')}"
