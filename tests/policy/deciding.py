"""Policies asked without a server: what the offline command and the guard of a call are made of."""

from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from kmcp_runtime import Effect, Server, ToolSpec
from kmcp_runtime.arguments import checked
from kmcp_runtime.judging import Resource
from kmcp_runtime.policy.guard import CallOfTool, Guard, known_arguments, resource_of
from kmcp_runtime.policy.questions import Principal
from kmcp_runtime.policy.reading import read_files, read_rules
from kmcp_runtime.policy.rules import RuleSet
from kmcp_runtime.policy.statements import Source
from kmcp_runtime.policy.tool_schema import Vocabulary

EXAMPLES = Path(__file__).parents[2] / "examples" / "policies"
MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


@cache
def servers() -> dict[str, Server]:
    return {point.name: cast("Server", point.load()) for point in entry_points(group="kmcp.servers")}


@cache
def tools() -> dict[str, tuple[str, ToolSpec]]:
    return {tool.name: (name, tool) for name, server in servers().items() for tool in server.tools()}


@cache
def vocabulary() -> Vocabulary:
    return Vocabulary({name: server.tools() for name, server in servers().items()})


@cache
def example(name: str) -> RuleSet:
    return read_rules(read_files([EXAMPLES / f"{name}.cedar"]), vocabulary())


def rules(text: str) -> RuleSet:
    return read_rules([Source("policy.cedar", text)], vocabulary())


def caller(subject: str = "jane", *groups: str, **known: Any) -> Principal:
    return Principal(subject, groups, authenticated=known.pop("authenticated", True), **known)


def guard_of(
    policy: RuleSet,
    principal: Principal,
    tool: str,
    arguments: dict[str, Any] | None = None,
    approvals: tuple[str, ...] = ("asked", "token"),
    time: datetime = MONDAY,
) -> tuple[Guard, dict[str, Any]]:
    """The guard of a call, and the call's checked arguments."""
    server, spec = tools()[tool]
    values = checked(spec.arguments, arguments or {}, spec.ignored, spec.renamed)
    named = {name: getattr(values, name) for name in spec.arguments.model_fields}
    at_doors = servers()[server].at_doors
    words = policy.words(principal.names(), server, tool)
    call = CallOfTool(
        server,
        tool,
        principal,
        resource_of(spec, named, at_doors),
        known_arguments(named, words),
        bool(named.get("dry_run")),
        approvals,
        at_doors,
        time,
    )
    return Guard(policy, call, ""), named


def decided(
    policy: RuleSet,
    principal: Principal,
    tool: str,
    arguments: dict[str, Any] | None = None,
    effect: str | None = None,
    *,
    resource: Resource | None = None,
    **more: Any,
) -> str:
    """`allow`, `deny`, or `open` where each request of the call decides; on `resource` where a door knows it."""
    guard, named = guard_of(policy, principal, tool, arguments, **more)
    wanted = Effect(effect) if effect else tools()[tool][1].effect_of(named)
    decision = guard.decide(wanted, resource or guard.call.resource)
    return decision.answer if decision.answer in ("allow", "open") else "deny"


def of(kind: str, namespace: str, name: str = "web", group: str = "", subresource: str = "") -> Resource:
    """An object as the Kubernetes door knows it."""
    return Resource("test", namespace, group, kind, name, subresource)
