"""Declaring this server's tools: tools of a kind need the same rights and meet the same backend in the tests."""

from collections.abc import Callable
from typing import Any

from kmcp_cilium.rights import AGENTS, RELEASE
from kmcp_runtime import Effect, Function, Rule, Verified, tool

# Why catalog and documentation say of these tools that no pod of Cilium was running.
TESTED = "Cilium 1.19.5"
"""The agent, its command line and the chart that the tests run; what other versions answer is recorded."""
_NO_IMAGES = "the chart, Helm and the cluster are real; its pods never run, since the tests can have no image of Cilium"


def agent_tool(
    effect: Effect, *also: Rule, verified: Verified = "agent", why: str | None = None, **declared: Any
) -> Callable[[Function], Function]:
    """Declare a tool that asks agents; `also` are the further rights that it needs."""
    return tool(effect, needs=(*AGENTS, *also), verified=verified, against=TESTED, why=why, **declared)


def chart_tool(effect: Effect, **declared: Any) -> Callable[[Function], Function]:
    """Declare a tool that changes the release of Cilium's chart."""
    return tool(effect, needs=RELEASE, against=TESTED, why=_NO_IMAGES, **declared)
