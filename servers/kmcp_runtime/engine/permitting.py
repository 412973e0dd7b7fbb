"""Scopes and policy together: what the caller of this request may, and in which form it has a tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastmcp.server.dependencies import get_access_token

from kmcp_runtime.audit.record import Entry
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.engine import audit, grants
from kmcp_runtime.engine.grants import Grant
from kmcp_runtime.identities import Caller
from kmcp_runtime.policy.questions import Principal

if TYPE_CHECKING:
    from kmcp_runtime.engine.configured import ConfiguredServer
    from kmcp_runtime.policy.guard import Guard
    from kmcp_runtime.policy.policies import Loaded, Policies

_LONGEST_AGENT = 128


@dataclass(frozen=True)
class Asked:
    """What a policy is asked by in one request: its rules as the files had them when it came, and who calls."""

    policies: "Policies"
    loaded: "Loaded"
    principal: Principal


@dataclass(frozen=True)
class Standing:
    """What decides in one request: taken once, so that a request is judged by one reading of the policy."""

    grant: Grant
    caller: Caller
    asked: Asked | None
    """None where no policy is configured."""


async def current(policies: "Policies | None", caller: Caller) -> Standing:
    """That of this request, whose caller this is."""
    grant = grants.current()
    asked = Asked(policies, await policies.current(), _principal(grant, caller)) if policies else None
    return Standing(grant, caller, asked)


def _principal(grant: Grant, caller: Caller) -> Principal:
    """Who calls, as a policy sees it."""
    token = get_access_token()
    claims = (token.claims or {}) if token is not None else {}
    client = audit.client_info()
    return Principal(
        caller.name,
        tuple(dict.fromkeys(caller.groups)),
        str(claims.get("iss") or ""),
        client.name[:_LONGEST_AGENT] if client else "",
        token is not None,
        grant.effects,
    )


async def narrowed(instance: "ConfiguredServer", declared: ToolSpec, standing: Standing) -> ToolSpec | None:
    """The tool as this caller has it: itself, its reading form, or none of it."""
    grant, asked = standing.grant, standing.asked
    granted = grant.narrowed(instance.name, declared)
    # Who may call nothing but see the list sees it whole, whatever a policy says of calls.
    if granted is None or asked is None or not grant.effects:
        return granted
    at_doors = instance.server.at_doors
    effects = await asked.policies.effects(asked.loaded, instance.name, granted, asked.principal, at_doors)
    return Grant(effects, lists=False).narrowed(instance.name, granted)


async def shown(instance: "ConfiguredServer", standing: Standing) -> dict[str, str]:
    """The tools that hints may name to this caller, by what they show: those that he has."""
    by_grant = instance.shown_to(standing.grant)
    if standing.asked is None:
        return by_grant
    return {word: tool for word, tool in by_grant.items() if await narrowed(instance, instance.tools[tool], standing)}


def guard(
    instance: "ConfiguredServer",
    declared: ToolSpec,
    arguments: Mapping[str, Any],
    standing: Standing,
    entry: Entry,
) -> "Guard | None":
    """The policy for a call with these arguments, where there is one."""
    asked = standing.asked
    if asked is None:
        return None
    at_doors = instance.server.at_doors
    return asked.policies.guard(
        asked.loaded, instance.name, declared, asked.principal, arguments, at_doors, entry.decided
    )
