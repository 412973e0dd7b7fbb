"""Network policies as agents carry them out."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_cilium import policies, rules
from kmcp_cilium.answers import SpreadPage
from kmcp_cilium.client import Agent, Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.labels import matching, policy_of, selector, written
from kmcp_cilium.rules import PolicyRule
from kmcp_cilium.words import AnyNode, Elements, EveryNode, OneNode
from kmcp_runtime.arguments import Cursor, Limit, Word
from kmcp_runtime.output.results import Page, Result
from kmcp_runtime.tool import Effect, Rule, injected

VALIDATION_SECONDS = 120.0
POLICY_OBJECTS = Rule("cilium.io", ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"), ("list",))


class PolicyRules(SpreadPage[PolicyRule]):
    """Rules, by node, policy and direction."""

    revisions: dict[str, int]


class Selection(BaseModel):
    """A selector of policies, and the identities that it means now."""

    selector: str
    policy: str | None = Field(default=None, description="The first that uses it")
    users: int
    identities: list[int]


class Selections(Page[Selection]):
    """Selectors, by their text."""

    node: str


class Verdict(BaseModel):
    """Whether a policy is valid."""

    kind: str
    namespace: str | None = None
    name: str
    valid: bool
    error: str | None = None


class Validation(Result):
    """Every policy of the cluster; invalid ones first."""

    cuttable = "items"

    valid: bool
    items: list[Verdict]
    total: int
    truncated: bool = False


@agent_tool(Effect.READ)
async def cilium_display_policy_node_information(
    labels: Annotated[Elements | None, Word("Having all of these")] = None,
    node_name: EveryNode = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    cilium: Cilium = injected(),
) -> PolicyRules:
    """Show the policy rules that agents enforce, as they understood them, to compare with the policy objects."""
    answers = await cilium.everywhere(node_name, lambda agent: agent.json("policy", "get"))
    found = [rule for node, told in answers for rule in rules.entries(node, json.loads(told.get("policy") or "[]"))]
    kept = [rule for rule in found if matching([*(rule.labels or ()), rule.policy or ""], labels or ())]
    kept.sort(key=lambda rule: (rule.node, rule.policy or "", rule.direction))
    revisions = {node: told.get("revision", 0) for node, told in answers}
    hint = None
    if not kept:
        hint = "No rule has these labels." if found else "No policy applies: all traffic is allowed."
    return cilium.page(PolicyRules, kept, limit, cursor, hint, revisions=revisions, unreachable=answers.unreachable)


@agent_tool(Effect.READ)
async def cilium_display_selectors(
    node_name: OneNode = None,
    subject: Annotated[bool, Word("Of the endpoints that policies are about")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    cilium: Cilium = injected(),
) -> Selections:
    """Show which identities each selector in policies means, such as a toFQDNs name or a namespace."""
    agent = await cilium.one_agent(node_name)
    told = await agent.json("policy", "subject-selectors" if subject else "selectors")
    found = sorted((_selection(each) for each in told or ()), key=lambda selection: selection.selector)
    return cilium.page(Selections, found, limit, cursor, node=agent.node)


@agent_tool(Effect.READ, POLICY_OBJECTS, timeout=VALIDATION_SECONDS)
async def cilium_validate_cilium_network_policies(
    node_name: AnyNode = None,
    enable_k8s_api_discovery: Annotated[bool, Word("Ask the API server for its capabilities")] = False,
    cilium: Cilium = injected(),
) -> Validation:
    """Check all Cilium policies of the cluster against the agent's version; do this before an upgrade."""
    agent = await cilium.any_agent(node_name)
    verdicts = await _validated(agent, enable_k8s_api_discovery)
    for kind, resource in list(policies.RESOURCES.items())[:2]:
        for policy in await policies.all_of(cilium, resource):
            _add_condition(verdicts, kind, policy)
    items = sorted(verdicts.values(), key=lambda each: (each.valid, each.kind, each.namespace or "", each.name))
    valid = all(each.valid for each in items)
    hint = None if items else "There are no Cilium policies."
    return Validation(valid=valid, items=items, total=len(items), hint=hint)


def _selection(each: Mapping[str, Any]) -> Selection:
    return Selection(
        selector=selector(each.get("selector", "")), policy=policy_of(map(written, each.get("labels") or ())),
        users=each.get("users", 0), identities=sorted(each.get("identities") or ()),
    )  # fmt: skip


_LINE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
Verdicts = dict[tuple[str, str | None, str], Verdict]


async def _validated(agent: Agent, discovery: bool) -> Verdicts:
    """The verdicts among the lines of the command's log; its exit code only says whether all are valid."""
    words = ["preflight", "validate-cnp", *(("--enable-k8s-api-discovery",) if discovery else ())]
    ended = await agent.run("cilium-dbg", *words, seconds=VALIDATION_SECONDS - 10)
    text = ended.stderr.decode(errors="replace") + ended.stdout.decode(errors="replace")
    found: Verdicts = {}
    for line in text.splitlines():
        fields = {key.lower(): _unquoted(value) for key, value in _LINE.findall(line)}
        if fields.get("msg", "").startswith("Validation OK") or "validation error" in fields.get("msg", ""):
            verdict = _verdict(fields)
            found[verdict.kind, verdict.namespace, verdict.name] = verdict
    if ended.exit_code and not any(not each.valid for each in found.values()):
        raise agent.failure(tuple(words), ended)
    return found


def _verdict(fields: Mapping[str, str]) -> Verdict:
    namespace, _, name = fields.get("name", "").rpartition("/")
    valid = fields["msg"].startswith("Validation OK")
    return Verdict(
        kind=fields.get("type", ""), namespace=namespace or None, name=name, valid=valid,
        error=None if valid else fields.get("error"),
    )  # fmt: skip


def _unquoted(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def _add_condition(verdicts: Verdicts, kind: str, policy: Mapping[str, Any]) -> None:
    """What the cluster's own condition says of a policy that the command found nothing wrong with."""
    told = policies.invalid_because(policy)
    metadata = policy["metadata"]
    key = (kind, metadata.get("namespace"), metadata["name"])
    known = verdicts.get(key)
    if told and (known is None or known.valid):
        verdicts[key] = Verdict(kind=kind, namespace=key[1], name=key[2], valid=False, error=told)
