"""The runbook of the Cilium server is followed to a policy by which a real agent drops."""

import pytest

from tests.cilium.agent import Agent, get
from tests.cilium.scenery import PODS
from tests.mcp import ToolCaller
from tests.runbooks.walking import Walk

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]


async def test_dropped_by_policy(tools: ToolCaller, agent: Agent) -> None:
    assert await agent.inside("stranger", get("web", agent)) is False
    walk = Walk("dropped-by-policy", tools, pod="web", namespace=PODS)
    assert "stranger" in await walk.step(1, "POLICY_DENIED")
    told = await walk.step(2, "policy_ingress", "ingress_rules", "peers", "policies")
    assert "only-clients" in told
    assert "app=stranger" in await walk.step(3, "labels")
    await walk.step(4)
    walk.end()
