"""Scopes and policy together: what the caller of this request may, and in which form it has a tool."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastmcp.server.dependencies import get_access_token, get_context

from kmcp_runtime.audit.record import Entry
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.grants import Grant
from kmcp_runtime.policy.questions import Principal

if TYPE_CHECKING:
    from kmcp_runtime.engine.configured import ConfiguredServer
    from kmcp_runtime.policy.guard import Guard

_LONGEST_AGENT = 128
SCOPES = "scopes"
"""Named as the rule where no policy is configured."""


def principal(grant: Grant) -> Principal:
    """Who calls, as a policy sees it."""
    token = get_access_token()
    claims = (token.claims or {}) if token is not None else {}
    groups = claims.get("groups")
    named = [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else []
    return Principal(
        auth.caller(),
        tuple(dict.fromkeys(named)),
        str(claims.get("iss") or ""),
        _agent(),
        token is not None,
        grant.effects,
    )


def _agent() -> str:
    """What the client calls itself."""
    try:
        params = get_context().session.client_params
    except RuntimeError:  # outside of a request
        return ""
    return params.client_info.name[:_LONGEST_AGENT] if params is not None else ""


async def narrowed(instance: "ConfiguredServer", declared: ToolSpec, grant: Grant) -> ToolSpec | None:
    """The tool as this caller has it: itself, its reading form, or none of it."""
    granted = grant.narrowed(instance.name, declared)
    # Who may call nothing but see the list sees it whole, whatever a policy says of calls.
    if granted is None or instance.policies is None or not grant.effects:
        return granted
    at_doors = instance.server.at_doors
    effects = await instance.policies.effects(instance.name, granted, principal(grant), at_doors)
    return Grant(effects, lists=False).narrowed(instance.name, granted)


async def shown(instance: "ConfiguredServer", grant: Grant) -> dict[str, str]:
    """The tools that hints may name to this caller, by what they show: those that he has."""
    by_grant = instance.shown_to(grant)
    if instance.policies is None:
        return by_grant
    return {word: tool for word, tool in by_grant.items() if await narrowed(instance, instance.tools[tool], grant)}


async def guard(
    instance: "ConfiguredServer",
    declared: ToolSpec,
    arguments: Mapping[str, Any],
    grant: Grant,
    entry: Entry,
) -> "Guard | None":
    """The policy for a call with these arguments, where there is one."""
    if instance.policies is None:
        return None
    at_doors = instance.server.at_doors
    return await instance.policies.guard(instance.name, declared, principal(grant), arguments, at_doors, entry.decided)
