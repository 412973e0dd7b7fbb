"""`kmcp-suite policy check|explain`: what a policy says, without a server and without a cluster."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from kmcp_runtime.arguments import checked
from kmcp_runtime.catalog import Effect
from kmcp_runtime.commands import complain
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.distributions import server_points
from kmcp_runtime.errors import ToolFailure, suggesting
from kmcp_runtime.judging import PARTS, Resource
from kmcp_runtime.policy.guard import CallOfTool, Guard, known_arguments, name_in, resource_of
from kmcp_runtime.policy.kinds import known_kind
from kmcp_runtime.policy.questions import APPROVALS, Principal
from kmcp_runtime.policy.reading import PolicyError, read_files, read_rules
from kmcp_runtime.policy.rules import Decision, RuleSet
from kmcp_runtime.policy.tool_schema import Vocabulary
from kmcp_runtime.publishing import published
from kmcp_runtime.server import Server

_PROGRAM = "kmcp-suite policy"
_ALLOWED, _DENIED, _USAGE, _DEPENDS = 0, 1, 2, 3


class _Refused(Exception):
    """A command line that means nothing."""


def main(argv: Sequence[str]) -> int:
    """Check a policy, or explain what it decides of a call, without a server and without a cluster.

    Exit codes: 0 fine or allowed, 1 faults or denied, 2 a command line that cannot be used, 3 it depends.
    """
    options = _parser().parse_args(argv)
    try:
        return _check(options) if options.command == "check" else _explain(options)
    except PolicyError as error:
        _print_faults(error, options.json)
        return _DENIED
    except ToolFailure as failure:
        return complain("; ".join(part for part in (failure.message, failure.hint) if part), _PROGRAM)
    except _Refused as error:
        return complain(str(error), _PROGRAM)
    except ModuleNotFoundError as error:
        if error.name != "cedarpy":
            raise
        return complain(f"cedarpy is not here: {published().install_hint('policy')}", _PROGRAM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="find what is wrong with a policy, with line and column")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, or a directory of *.cedar")
    explain = commands.add_parser(
        "explain",
        help="say whether a call is allowed, and by which rule",
        description="Exit code 0: allowed, 1: denied, 3: it depends on what the call leaves open.",
    )
    explain.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, or a directory of *.cedar")
    explain.add_argument("--principal", required=True, help="name of the caller, as the audit line has it")
    explain.add_argument("--group", action="append", default=[], help="a group of the caller; may be repeated")
    explain.add_argument("--issuer", default="", help="issuer of the caller's JSON Web Token")
    explain.add_argument("--agent", default="", help="what the client calls itself")
    explain.add_argument("--unauthenticated", action="store_true", help="the caller has no token")
    explain.add_argument("--scopes", default="destroy", choices=("read", "write", "destroy"), help="of the caller")
    explain.add_argument("--tool", required=True, help="name of the tool")
    explain.add_argument("--arguments", default="{}", metavar="JSON", help="arguments of the call, a JSON object")
    explain.add_argument("--effect", choices=[effect.value for effect in Effect], help="as judged, where it is more")
    explain.add_argument(
        "--resource",
        default="",
        metavar="PART=TEXT,…",
        help=f"what it is about: {', '.join(PARTS)}, separated by commas",
    )
    explain.add_argument("--approval", choices=APPROVALS, help="how a person or the configuration said yes")
    explain.add_argument("--time", metavar="TIME", help="when, as 2026-11-30T09:00:00Z (default: now)")
    for each in (check, explain):
        each.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _installed() -> dict[str, Server]:
    return {name: cast("Server", point.load()) for name, point in server_points().items()}


def _read(files: Sequence[Path], servers: Mapping[str, Server]) -> RuleSet:
    return read_rules(read_files(files), Vocabulary({name: server.tools() for name, server in servers.items()}))


def _check(options: argparse.Namespace) -> int:
    rules = _read(options.files, _installed())
    if options.json:
        print(json.dumps({"rules": [_shown(rule) for rule in rules.rules], "faults": []}, ensure_ascii=False))
    else:
        print(f"{len(rules.rules)} rules, no faults")
    return _ALLOWED


def _shown(rule: Any) -> dict[str, Any]:
    source = rule.statement
    return {
        "id": rule.name,
        "effect": "forbid" if rule.forbids else "permit",
        "file": source.source.name,
        "line": source.line,
    }


def _print_faults(error: PolicyError, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"faults": [vars(fault) for fault in error.faults]}, ensure_ascii=False))
    else:
        print(*error.faults, sep="\n", file=sys.stderr)


def _explain(options: argparse.Namespace) -> int:
    servers = _installed()
    server, tool = _tool(options.tool, servers)
    rules = _read(options.files, servers)
    given = _object(options.arguments)
    cluster = given.pop("context", None)
    values = checked(tool.arguments, given, tool.ignored, tool.renamed)
    arguments = {name: getattr(values, name) for name in tool.arguments.model_fields}
    resource = _resource(tool, arguments, server.at_doors, options.resource)
    if cluster is not None:
        resource = Resource(**{**vars(resource), "cluster": str(cluster)})
    principal = _principal(options)
    call = CallOfTool(
        server.name,
        tool.name,
        principal,
        resource,
        known_arguments(arguments, rules.words(principal.names(), server.name, tool.name)),
        bool(arguments.get("dry_run")),
        (options.approval,) if options.approval else ("asked", "token"),
        server.at_doors,
        _time(options.time),
    )
    effect = Effect(options.effect) if options.effect else tool.effect_of(arguments)
    guard = Guard(rules, call, "")
    decision = guard.decide(effect, resource)
    word = "allow" if decision.allows else "depends" if guard.leaves_to_doors(decision) else "deny"
    failure = None if decision.allows else guard.say(decision, effect, resource)
    _print(options.json, Explained(word, effect, resource, decision, failure))
    return {"allow": _ALLOWED, "depends": _DEPENDS, "deny": _DENIED}[word]


def _principal(options: argparse.Namespace) -> Principal:
    order = ("read", "write", "destroy")
    effects = frozenset(Effect(each) for each in order[: order.index(options.scopes) + 1])
    groups, authenticated = tuple(dict.fromkeys(options.group)), not options.unauthenticated
    return Principal(options.principal, groups, options.issuer, options.agent, authenticated, effects)


def _tool(name: str, servers: Mapping[str, Server]) -> tuple[Server, ToolSpec]:
    known = {tool.name: (server, tool) for server in servers.values() for tool in server.tools()}
    if name not in known:
        raise _Refused(suggesting(f"no tool {name!r}", name, known))
    return known[name]


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Refused(f"--arguments is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _Refused("--arguments must be a JSON object")
    return found


def _time(text: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.now(UTC)
    except ValueError:
        raise _Refused(f"--time {text!r} is not a time: write 2026-11-30T09:00:00Z") from None


def _resource(tool: ToolSpec, arguments: Mapping[str, Any], at_doors: bool, given: str) -> Resource:
    """What the arguments say, with what a door would find out as far as it is plain, and what the command line says."""
    found = dict(vars(resource_of(tool, arguments, at_doors)))
    if found["name"] is None and (name := name_in(arguments)):
        found |= {"name": name, "subresource": ""}
    if found["kind"] is None and (kind := known_kind(str(arguments.get("resource_type") or ""))):
        found |= {"group": kind[0], "kind": kind[1]}
    for part in filter(None, given.split(",")):
        key, equals, text = part.partition("=")
        if key.strip() not in PARTS or not equals:
            raise _Refused(suggesting(f"--resource: {part!r} is not PART=TEXT", key.strip(), PARTS))
        found[key.strip()] = text
    return Resource(**found)


@dataclass(frozen=True)
class Explained:
    """The answer to one question."""

    word: str
    effect: Effect
    resource: Resource
    decision: Decision
    failure: ToolFailure | None


def _print(as_json: bool, told: Explained) -> None:
    why = told.failure.message if told.failure else f"allowed by {told.decision.names}"
    if as_json:
        shown = {
            "decision": told.word,
            "effect": told.effect.value,
            "resource": vars(told.resource),
            "rules": [_shown(rule) for rule in told.decision.rules],
            "message": why,
            "hint": told.failure.hint if told.failure else None,
        }
        print(json.dumps(shown, ensure_ascii=False))
        return
    print(f"{told.word}: {why}")
    for rule in told.decision.rules:
        print(f"  {rule.statement.place}: {'forbid' if rule.forbids else 'permit'} {rule.name}")
    if told.failure and told.failure.hint:
        print(f"  {told.failure.hint}")
