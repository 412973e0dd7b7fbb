"""Where a client keeps its configuration, and how servers are put into it: what others wrote there stays."""

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from kmcp_runtime.catalog import CLIENTS, Connection

from . import jsonc

_MAC = Path("~/Library/Application Support")
_PLACES: Mapping[str, Path] = {
    "claude-code": Path(".mcp.json"),  # of a project; `claude mcp add` is for the user's own
    "vscode": Path(".vscode/mcp.json"),
    "cursor": Path(".cursor/mcp.json"),
    "windsurf": Path("~/.codeium/windsurf/mcp_config.json"),
    "gemini-cli": Path("~/.gemini/settings.json"),
}


class UnusableFileError(Exception):
    """A client's file that cannot be changed: which, why, and what to do."""


@dataclass(frozen=True)
class Written:
    """What was done with a file."""

    path: Path
    backup: Path | None
    changed: bool


def place_of(client: str, environment: Mapping[str, str]) -> Path:
    """Where a client looks on this machine, for the project of this folder where it has such a place."""
    if client == "codex":
        return Path(environment.get("CODEX_HOME") or "~/.codex").expanduser() / "config.toml"
    base = Path(environment.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    if client == "zed":
        return base / "zed/settings.json"
    if client == "claude-desktop":
        return (_MAC.expanduser() if sys.platform == "darwin" else base) / "Claude/claude_desktop_config.json"
    return _PLACES[client].expanduser().absolute()


def write(client: str, connections: Sequence[Connection], path: Path) -> Written:
    """Put the servers into the file, beside those of others; what was there is kept as a backup.

    Errors: UnusableFileError.
    """
    try:
        path = path.resolve()  # a link stays a link
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")  # a device would be gone
        content = path.read_bytes() if path.exists() else b""
        text = content.decode()
        mark = text[: text.startswith("\ufeff")]  # some editors begin a file with it, which no TOML may have
        before = text[len(mark) :].replace("\r\n", "\n").replace("\r", "\n")
        after = _merged(client, connections, before)
        if after == before:
            return Written(path, None, False)
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = _keep(path, content) if path.exists() else None
        _replace(path, (mark + _broken_as(content, after)).encode())
    except (OSError, RuntimeError, jsonc.NotJsonError, ValueError) as error:  # RuntimeError: links that go round
        raise UnusableFileError(f"{path}: {error}; mend it, or name another one with --file") from None
    return Written(path, backup, True)


def _broken_as(content: bytes, text: str) -> str:
    """With the line breaks that most lines of the file have: those of Windows stay."""
    crlf = content.count(b"\r\n")
    return text.replace("\n", "\r\n") if 2 * crlf > content.count(b"\n") else text


def _merged(client: str, connections: Sequence[Connection], before: str) -> str:
    known = CLIENTS[client]
    entries = {each.name: known.entry(each) for each in connections}
    if known.language == "toml":
        return _into_toml(before, known.servers, entries)
    # Below what there is, which may be a comment without an end of its line.
    text = f"{before}\n{{}}\n".lstrip("\n") if jsonc.holds_nothing(before) else before
    if not isinstance(held := jsonc.read(text), dict) or not isinstance(held.get(known.servers, {}), dict):
        raise jsonc.NotJsonError(f"it must be an object, {{…}}, and {known.servers} in it another")
    for name, entry in entries.items():
        if jsonc.read(text).get(known.servers, {}).get(name) != entry:
            text = jsonc.with_member(text, [known.servers, name], entry)
    asked = known.document(connections).get("inputs", [])
    if not asked:  # of a client that asks for nothing, `inputs` is no concern of ours
        return text
    if not isinstance(inputs := held.get("inputs", []), list):
        raise jsonc.NotJsonError("inputs must be a list")
    have = [each.get("id") for each in inputs if isinstance(each, dict)]
    return jsonc.with_items(text, "inputs", [each for each in asked if each["id"] not in have])


def _into_toml(before: str, servers: str, entries: Mapping[str, Any]) -> str:
    import tomlkit

    held = tomllib.loads(before).get(servers, {})
    if not isinstance(held, dict):
        raise ValueError(f"{servers} must be a table")  # noqa: TRY004  # it is the file's fault
    if {**held, **entries} == held:
        return before
    document = tomlkit.parse(before)
    if servers not in document:
        document[servers] = tomlkit.table(is_super_table=True)
    for name, entry in entries.items():
        document[servers][name] = entry
    text = tomlkit.dumps(document)
    if any(tomllib.loads(text)[servers].get(name) != entry for name, entry in entries.items()):
        raise ValueError(f"[{servers}] is written in a form that cannot be added to")
    return text


def _keep(path: Path, content: bytes) -> Path:
    """Never over a backup that is there: the first one may be the only good one."""
    names = (path.with_name(f"{path.name}.backup{number or ''}") for number in count())
    backup = next(each for each in names if not each.exists())
    _create(backup, content, path.stat().st_mode & 0o777)
    return backup


def _replace(path: Path, content: bytes) -> None:
    """At once, so that a client never reads half of it."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    new = path.with_name(f".{path.name}.{os.getpid()}")
    _create(new, content, mode)
    new.replace(path)


def _create(path: Path, content: bytes, mode: int) -> None:
    """The whole file or none: what a full disk cut off does not stay."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise
