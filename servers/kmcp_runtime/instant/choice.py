"""Whether the prepared lists are what the engine would answer under these settings; what is not certain is not.

A setting is read here in its plainest forms only. Whatever is written otherwise, has a fault, or shapes the list in a
way that no file can hold, leaves the whole session to the engine, which then says what it always said.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kmcp_runtime import clients
from kmcp_runtime.instant.messages import Answers, without_schema

if TYPE_CHECKING:
    from kmcp_runtime.server import Server

FILE = "prepared.json"
COVERED = frozenset({"read_only", "tools", "extras", "listing", "output_schemas"})
"""Settings of the runtime that shape the list, and whose every value is covered here."""
HARMLESS = frozenset(
    {"transport", "approval", "approval_namespace", "timeout", "concurrency", "answer_tokens", "log_level"}
)
"""Those that shape no list and cannot fail later than they are read. What stands in neither is the engine's."""
LATER = frozenset(
    {
        "approval_ledger",
        "audit",
        "audit_file",
        "audit_file_megabytes",
        "audit_files",
        "audit_key_file",
        "audit_otlp_endpoint",
        "audit_otlp_headers",
        "audit_sinks",
        "policy_contact",
        "rate_limits",
        "state_key",
    }
)
"""Those that shape no list either; a fault of theirs is on stderr, and in the answer to the first call."""
LISTING = frozenset({"policy"})
"""Those that shape the list alone, in a way that no file can hold: the handshake waits for no engine, the list does."""
_PLACEHOLDERS = ("$", "%", "{", "<")
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on", "y", "t"}), frozenset({"false", "0", "no", "off", "n", "f"})
_INTEGER, _NUMBER = re.compile(r"\d{1,9}"), re.compile(r"\d{1,9}(?:\.\d{1,9})?")


class _EngineError(Exception):
    """Only the engine can tell."""


class _ListError(Exception):
    """What the server is can be told; what it lists, only by the engine."""


def answers(servers: Sequence[Server], argv: Sequence[str], environment: Mapping[str, str]) -> Answers | None:
    """The answers of this process; None where the engine has to give them."""
    try:
        runtime = _load(os.path.join(os.path.dirname(__file__), FILE))
        prepared = [_prepared(server, runtime) for server in servers]
        rows = [*runtime["settings"], *(row for found in prepared for row in found["settings"])]
        given = _given(rows, argv, environment)
        _check_runtime(runtime, given)
        tools = _known_tools(prepared, given, environment)
        runbooks = _runbooks(prepared)
        lines = [found["instructions"] for found in prepared] + [runtime["frame"]]
        if _is_short(servers, given):
            lines.append(runtime["short"])
            first = {name for server in servers for name in server.first}
            if tools is not None:
                tools = [*runtime["door"], *(tool for tool in tools if tool["name"] in first)]
        if given.get("read_only"):
            lines.append(runtime["reading"])
    except _EngineError:
        return None
    info = {"name": "kmcp-suite", "version": runtime["suite"]}
    if len(servers) == 1:
        info = {"name": servers[0].full_name, "version": prepared[0]["version"]}
    views = {row["tool"]["name"]: row["view"] for found in prepared for row in found["tools"] if "view" in row}
    one_form = () if "output_schemas" in given else clients.PAYING_TWICE
    return Answers(runtime, info, "\n".join(lines), tools, runbooks, views, one_form)


def tool_names(server: Server) -> Collection[str] | None:
    """Of all tools of a server, as they were prepared; None where only its modules can tell."""
    if not server.finds_its_tools():
        return None
    try:
        found = _prepared(server, _load(os.path.join(os.path.dirname(__file__), FILE)))
    except _EngineError:
        return None
    return frozenset(row["tool"]["name"] for row in found["tools"])


def _known_tools(
    prepared: Sequence[Mapping[str, Any]], given: Mapping[str, Any], environment: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    try:
        tools = _tools(prepared, given, environment)
    except _ListError:
        return None
    return None if given.keys() & LISTING else tools


def _is_short(servers: Sequence[Server], given: Mapping[str, Any]) -> bool:
    chosen = given.get("listing", "auto")
    return len(servers) > 1 if chosen == "auto" else chosen == "few"


def _prepared(server: Server, runtime: Mapping[str, Any]) -> Any:
    """What was prepared for a server by the suite that runs."""
    folder = next(iter(importlib.import_module(server.package).__path__), "") if server.package else ""
    found = _load(os.path.join(folder, FILE))
    # A server of another distribution may have been prepared by another version.
    if found["suite"] != runtime["suite"] or found["name"] != server.name:
        raise _EngineError
    return found


def _load(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        raise _EngineError from None


def _given(
    rows: Iterable[Mapping[str, Any]], argv: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str | bool]:
    """The settings that are set, by their names, each in a form that is beyond doubt."""
    by_name = {row["name"]: row for row in rows}
    flags = _flags(by_name, argv)
    found: dict[str, str | bool] = {}
    for row in rows:
        # Two servers may have one setting with different defaults, so each row is looked at.
        text = flags.get(row["name"], environment.get(row["env"]) or None)
        if text is not None and text.lstrip().startswith(_PLACEHOLDERS):
            raise _EngineError  # a client may have meant a variable that it does not expand
        if text is not None:
            found[row["name"]] = text if row["name"] in LATER | LISTING else _value(row, text)
    return found


def _flags(by_name: Mapping[str, Mapping[str, Any]], argv: Sequence[str]) -> dict[str, str]:
    by_flag = {row["flag"]: row for row in by_name.values() if row["flag"]}
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        no = flag.startswith("--no-") and flag not in by_flag
        row = by_flag.get("--" + flag[5:] if no else flag)
        switch = row is not None and row["kind"] == "switch"
        if row is None or (switch and equals) or (no and not switch):
            raise _EngineError
        if switch:
            value = "false" if no else "true"
        elif not equals:
            value = next(words, "-")
            if value.startswith("-"):
                raise _EngineError
        found[row["name"]] = value
    return found


def _value(row: Mapping[str, Any], text: str) -> str | bool:
    kind = row["kind"]
    if kind == "text":
        return text
    if kind == "switch" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if kind == "choice" and text in row["choices"]:
        return text
    pattern = {"integer": _INTEGER, "number": _NUMBER}.get(kind)
    if pattern and pattern.fullmatch(text) and _is_within(row["limits"], float(text)):
        return text
    raise _EngineError


def _is_within(limits: Mapping[str, float], value: float) -> bool:
    return (
        value >= limits.get("ge", value)
        and value <= limits.get("le", value)
        and ("gt" not in limits or value > limits["gt"])
    )


def _check_runtime(runtime: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Only a server over stdio is begun here, with settings that are known to this module."""
    of_http = {row["name"] for row in runtime["settings"] if row["of_http"]}
    own = {row["name"] for row in runtime["settings"]} & given.keys()
    if own - of_http - HARMLESS - COVERED - LATER - LISTING:
        raise _EngineError
    transport = given.get("transport", "auto")
    if transport == "http" or (transport == "auto" and (own & of_http or not is_piped())):
        raise _EngineError


def is_piped() -> bool:
    """Whether stdin is what a program gives to one that it starts: a pipe, or a pair of sockets, as Node makes them."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _tools(
    prepared: Sequence[Mapping[str, Any]], given: Mapping[str, Any], environment: Mapping[str, str]
) -> list[dict[str, Any]]:
    names = _named(given.get("tools"))
    if names is not None and not names <= {row["tool"]["name"] for found in prepared for row in found["tools"]}:
        raise _EngineError  # a name that no server has is a fault
    tools = []
    for found in prepared:
        facts = _facts(found, given, environment)
        for row in found["tools"]:
            tool = _offered(row, given, facts)
            if tool is None or (names is not None and tool["name"] not in names):
                continue
            if given.get("output_schemas") is False:
                tool = without_schema(tool)
            tools.append(_with_arguments(tool, row, facts))
    return tools


def _runbooks(prepared: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those whose servers are all here."""
    names = {found["name"] for found in prepared}
    if not all("runbooks" in found for found in prepared):
        raise _EngineError
    runbooks = [row for found in prepared for row in found["runbooks"] if names.issuperset(row["servers"])]
    if len({row["prompt"]["name"] for row in runbooks}) < len(runbooks):
        raise _EngineError  # two of one name are a fault
    return runbooks


def _named(text: Any) -> set[str] | None:
    return None if text is None else {name for name in (part.strip() for part in text.split(",")) if name}


def _facts(found: Mapping[str, Any], given: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    """What the surroundings say of the list: `arguments` that are added, and tools that `exist` only under them."""
    if any(name in given for name in found["shaping"]):
        raise _ListError
    if not found["facts"]:
        return {}
    module, _, function = found["facts"].partition(":")
    facts: Mapping[str, Any] | None = getattr(importlib.import_module(module), function)(given, environment)
    if facts is None:
        raise _ListError
    return facts


def _offered(row: Mapping[str, Any], given: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any] | None:
    tool: dict[str, Any] = row["tool"]
    if row.get("conditional") and tool["name"] not in facts.get("exist", ()):
        return None
    if row.get("extra") and given.get("extras") is False:
        return None
    if not given.get("read_only") or row.get("reading") is True:
        return tool
    reading: dict[str, Any] | None = row.get("reading")
    return reading


def _with_arguments(tool: dict[str, Any], row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    added = {name: schema for name, schema in facts.get("arguments", {}).items() if name in row.get("takes", ())}
    if not added:
        return tool
    schema = tool["inputSchema"]
    return {**tool, "inputSchema": {**schema, "properties": {**schema.get("properties", {}), **added}}}
