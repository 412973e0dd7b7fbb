"""The runbooks of packages, read from their files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from kmcp_runtime.runbooks.steps import PLACEHOLDER
from kmcp_runtime.server import Server
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.yaml_text import YamlError
from kmcp_runtime.yaml_text import read as read_yaml

FOLDER = "runbooks"
MOST_LINES = 60
"""Of a runbook: what is longer a model no longer follows step by step."""
_LONGEST_DESCRIPTION = 1024  # as Agent Skills allow
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_PARTS = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_KEYS = {"name", "title", "description", "servers", "arguments"}
_ARGUMENT_KEYS = {"name", "description", "required"}


class _FaultError(Exception):
    """What is wrong with a file."""


@dataclass(frozen=True)
class Argument:
    """What a runbook is about: a name that the person gives."""

    name: str
    description: str
    required: bool = True


@dataclass(frozen=True)
class Runbook:
    """One file."""

    name: str
    title: str
    description: str
    """When to follow it, in a sentence."""
    owner: str
    """The server in whose package it is."""
    servers: tuple[str, ...]
    """The servers whose tools it names, its owner among them."""
    arguments: tuple[Argument, ...]
    body: str

    @property
    def uri(self) -> str:
        """Of the skill."""
        return f"skill://{self.owner}/{self.name}/SKILL.md"


def runbooks_of(servers: Iterable[Server]) -> list[Runbook]:
    """Those that these servers can follow together, in the order of the servers, then by name.

    Errors: SettingsError, which names the file and its fault; two runbooks of one name are one.
    """
    together = list(servers)
    names = {server.name for server in together}
    found = [each for server in together for each in runbooks_in(server) if names.issuperset(each.servers)]
    for each in found:
        twins = [other.owner for other in found if other.name == each.name]
        if len(twins) > 1:
            raise SettingsError(f"runbook {each.name!r}: {' and '.join(twins)} both have one of this name")
    return found


def runbooks_in(server: Server) -> tuple[Runbook, ...]:
    """Those of its package, whatever other servers they need. Errors: SettingsError."""
    return _read(server.package, server.name)


@lru_cache(maxsize=64)
def _read(package: str, owner: str) -> tuple[Runbook, ...]:
    folder = files(package).joinpath(FOLDER) if package else None
    if folder is None or not folder.is_dir():
        return ()
    found = sorted((each for each in folder.iterdir() if each.name.endswith(".md")), key=lambda each: each.name)
    return tuple(parsed(each.read_text(encoding="utf-8"), owner, f"{package}/{FOLDER}/{each.name}") for each in found)


def parsed(text: str, owner: str, place: str) -> Runbook:
    """The runbook of a file's text; `place` names the file in errors. Errors: SettingsError."""
    match = _PARTS.fullmatch(text)
    if match is None:
        raise SettingsError(f"{place}: a runbook begins with front matter between two lines `---`")
    try:
        head = read_yaml(match[1])
    except YamlError as error:
        raise SettingsError(f"{place}: front matter is not valid YAML: {error}") from None
    try:
        return _made(_checked(head, _KEYS, "front matter"), match[2].strip() + "\n", owner, text.count("\n"))
    except _FaultError as error:
        raise SettingsError(f"{place}: {error}") from None


def _made(head: Mapping[str, Any], body: str, owner: str, lines: int) -> Runbook:
    if lines > MOST_LINES:
        raise _FaultError(f"{lines} lines, more than {MOST_LINES}")
    name = _text(head, "name")
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise _FaultError("name: lowercase words joined by single hyphens, at most 64 characters")
    servers = head.get("servers", [owner])
    if not isinstance(servers, list) or owner not in servers or not all(isinstance(each, str) for each in servers):
        raise _FaultError(f"servers: a list of names with {owner!r} in it")
    given = head.get("arguments", [])
    if not isinstance(given, list):
        raise _FaultError("arguments: a list")
    arguments = tuple(_argument(each) for each in given)
    known = {each.name for each in arguments}
    for placeholder in PLACEHOLDER.findall(body):
        if placeholder not in known:
            raise _FaultError(f"the text names {{{placeholder}}}, which is no argument")
    description = _text(head, "description")
    return Runbook(name, _text(head, "title"), description, owner, tuple(servers), arguments, body)


def _argument(node: Any) -> Argument:
    found = _checked(node, _ARGUMENT_KEYS, "an argument")
    name, required = _text(found, "name"), found.get("required", True)
    if not _WORD.fullmatch(name) or not isinstance(required, bool):
        raise _FaultError("an argument has a name of lowercase letters and underscores; required is true or false")
    return Argument(name, _text(found, "description"), required)


def _checked(node: Any, known: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        raise _FaultError(f"{what} is a mapping")
    if unknown := sorted(set(node) - known, key=str):
        raise _FaultError(f"{what} has {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return node


def _text(node: Mapping[str, Any], key: str) -> str:
    found = node.get(key)
    if not isinstance(found, str) or not 0 < len(found.strip()) <= _LONGEST_DESCRIPTION or "\n" in found.strip():
        raise _FaultError(f"{key}: one line of 1 to {_LONGEST_DESCRIPTION} characters")
    return found.strip()
