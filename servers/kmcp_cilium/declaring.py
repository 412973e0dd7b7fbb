"""How this server's tools are declared: those that ask agents need the same rights and met the same agent."""

from collections.abc import Callable
from typing import Any

from kmcp_cilium.rights import AGENTS
from kmcp_runtime.tool import Effect, Function, Rule, Verified, tool


def agent_tool(
    effect: Effect, *also: Rule, verified: Verified = "agent", why: str | None = None, **declared: Any
) -> Callable[[Function], Function]:
    """Declare a tool that asks agents; `also` are the rights that it needs beyond that."""
    return tool(effect, needs=(*AGENTS, *also), verified=verified, why=why, **declared)
