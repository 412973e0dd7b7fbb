"""Network policies as agents enforce them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import AnyNode, Elements, EveryNode, OneNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.policy import rules, validation
from kmcp_cilium.policy.rules import PolicyRule
from kmcp_cilium.policy.validation import Verdict
from kmcp_cilium.rights import POLICIES
from kmcp_cilium.state.labels import matching, policy_of, selector, written
from kmcp_runtime import Cursor, Effect, Limit, Page, Result, read_json


class PolicyRules(SpreadPage[PolicyRule]):
    """Rules, by node, policy and direction."""

    revisions: dict[str, int]


class Selection(BaseModel):
    """A selector of policies, and the identities that it selects now."""

    selector: str
    policy: str | None = Field(default=None, description="The first that uses it")
    users: int
    identities: list[int]


class Selections(Page[Selection]):
    """Selectors, by their text."""

    node: str


class Validation(Result):
    """Every policy of the cluster; invalid ones first."""

    cuttable = "items"

    valid: bool
    items: list[Verdict]
    total: int
    truncated: bool = False


@agent_tool(Effect.READ)
async def cilium_display_policy_node_information(
    cilium: Cilium,
    labels: Annotated[Elements | None, "Having all of these"] = None,
    node_name: EveryNode = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PolicyRules:
    """Show the policy rules that agents enforce, as they understood them, to compare with the policy objects."""
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call_json("policy", "get"))
    # The agent puts the rules as JSON into a text.
    found = [each for node, answer in answers for each in rules.entries(node, read_json(answer.get("policy") or "[]"))]
    kept = [each.rule for each in found if matching([*each.labels, each.rule.policy or ""], labels or ())]
    kept.sort(key=lambda rule: (rule.node, rule.policy or "", rule.direction))
    revisions = {node: answer.get("revision", 0) for node, answer in answers}
    hint = None
    if not kept:
        # An empty repository means something else than a filter without a match.
        hint = "No rule has these labels." if found else "No policy applies: all traffic is allowed."
    return cilium.page(PolicyRules, kept, limit, cursor, hint, revisions=revisions, unreachable=answers.unreachable)


@agent_tool(Effect.READ)
async def cilium_display_selectors(
    cilium: Cilium,
    node_name: OneNode = None,
    subject: Annotated[bool, "Those of policies' own endpoints"] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Selections:
    """Show which identities each selector in policies selects, such as a toFQDNs name or a namespace."""
    agent = await cilium.find_one_agent(node_name)
    answer = await agent.call_json("policy", "subject-selectors" if subject else "selectors")
    found = sorted((_selection(each) for each in answer or ()), key=lambda selection: selection.selector)
    return cilium.page(Selections, found, limit, cursor, node=agent.node)


@agent_tool(Effect.READ, POLICIES, timeout=validation.SECONDS, ignored=("enable_k8s",))
async def cilium_validate_cilium_network_policies(
    cilium: Cilium,
    node_name: AnyNode = None,
    enable_k8s_api_discovery: Annotated[bool, "Take the API server's version into account"] = False,
) -> Validation:
    """Check all Cilium policies of the cluster against the agent's version; do this before an upgrade."""
    agent = await cilium.find_any_agent(node_name)
    items = await validation.validate_policies(cilium, agent, enable_k8s_api_discovery)
    valid = all(each.valid for each in items)
    hint = None if items else "There are no Cilium policies."
    return Validation(valid=valid, items=items, total=len(items), hint=hint)


def _selection(each: Mapping[str, Any]) -> Selection:
    return Selection(
        selector=selector(each.get("selector", "")),
        policy=policy_of(map(written, _first_user(each.get("labels") or ()))),
        users=each.get("users", 0),
        identities=sorted(each.get("identities") or ()),
    )


def _first_user(labels: Sequence[Any]) -> Sequence[Any]:
    """The labels of the first rule that uses a selector: up to 1.19 there is one, from 1.20 a list of each one's."""
    return next((each for each in labels if each), ()) if labels and isinstance(labels[0], list) else labels
