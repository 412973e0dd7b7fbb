"""Every tool that asks agents meets the real one, as a ServiceAccount that holds exactly what the tool declares.

Those that change the release of Cilium's chart are called so in `tests/cilium/chart`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kmcp_cilium.rights import RELEASE
from kmcp_cilium.server import SERVER
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime import Rule, ToolSpec
from kmcp_runtime.kube.api import KubeApi
from tests.cilium.agent import NAMESPACE, Agent
from tests.cilium.examples import EXAMPLES
from tests.cilium.scenery import PODS
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller, text_of
from tests.rights import holding, names_only, without
from tests.slowness import scaled
from tests.waiting import until

pytestmark = pytest.mark.pods
TOOLS = [declared for declared in SERVER.tools() if declared.needs != RELEASE]
UNSEEN = ("ciliumendpoints", "cilium_get_endpoints_list")
"""Objects that only a cluster of several nodes has this tool read."""


def groups() -> list[Any]:
    """Tools that need the same."""
    found: defaultdict[tuple[Rule, ...], list[ToolSpec]] = defaultdict(list)
    for declared in TOOLS:
        found[declared.needs].append(declared)
    return [pytest.param(needs, tools, id=tools[0].name) for needs, tools in found.items()]


def verbs() -> list[Any]:
    """Each verb of each rule, once, with a tool that has the fewest other rights."""
    found: dict[tuple[Rule, str], ToolSpec] = {}
    for declared in sorted(TOOLS, key=lambda declared: -len(declared.needs)):
        for rule in declared.needs:
            if (*rule.resources, declared.name) != UNSEEN:
                found |= {(rule, verb): declared for verb in rule.verbs}
    return [
        pytest.param(declared, rule, verb, id=f"{declared.name}-{verb}-{','.join(rule.resources)}")
        for (rule, verb), declared in found.items()
    ]


def test_every_tool_has_an_example() -> None:
    assert {declared.name for declared in TOOLS} == set(EXAMPLES)


def test_the_catalog_says_what_each_tool_met() -> None:
    told = {declared.name: declared.verified for declared in TOOLS}
    assert told == {name: example.met for name, example in EXAMPLES.items()}


@pytest.fixture
def settings(cluster: Cluster, agent: Agent) -> CiliumSettings:
    return CiliumSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), cilium_namespace=NAMESPACE)


@pytest.fixture
async def words(api: KubeApi, agent: Agent, namespace: str) -> dict[str, str]:
    """What words of examples stand for; the namespace has a policy of each kind, about no pod."""
    selector = {"matchLabels": {"app": "nobody"}}
    base = f"/apis/cilium.io/v2/namespaces/{namespace}/ciliumnetworkpolicies"
    body = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "odd"}}
    await make(api, base, {**body, "spec": {"endpointSelector": selector, "ingress": [{"fromEntities": ["world"]}]}})
    base = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    await make(api, base, {"metadata": {"name": "odd"}, "spec": {"podSelector": selector}})
    web = await api.get(f"/api/v1/namespaces/{PODS}/services/web")
    return {"{ns}": namespace, "{web}": f"{web['spec']['clusterIP']}:80"}


async def said(caller: ToolCaller, tool: str, words: Mapping[str, str]) -> str:
    """The answers to the tool's example that are not the expected ones."""
    example = EXAMPLES[tool]
    unexpected = []
    for arguments in example.calls(words):
        answer = await caller.client.call_tool(tool, arguments, raise_on_error=False)
        text = text_of(answer.content)
        if answer.is_error is not (example.code is not None) or example.says not in text or "forbidden" in text:
            unexpected.append(f"{tool}: {text}")
    return "\n".join(unexpected)


@pytest.mark.parametrize(("needs", "tools"), groups())
async def test_tools_answer_with_the_rights_they_declare(
    needs: Sequence[Rule],
    tools: list[ToolSpec],
    api: KubeApi,
    settings: CiliumSettings,
    words: dict[str, str],
    tmp_path: Path,
) -> None:
    async def all_of_them() -> list[str]:
        answers = await asyncio.gather(*(said(caller, declared.name, words) for declared in tools))
        return [answer for answer in answers if answer]

    async with holding(api, SERVER, settings, words["{ns}"], needs, tmp_path) as caller:
        # The authorizer learns of a new binding within moments.
        await until(all_of_them, lambda unexpected: unexpected == [], 60, "answers as expected")


@pytest.mark.parametrize(("declared", "rule", "verb"), verbs())
async def test_each_declared_right_is_needed(
    declared: ToolSpec,
    rule: Rule,
    verb: str,
    api: KubeApi,
    settings: CiliumSettings,
    words: dict[str, str],
    tmp_path: Path,
) -> None:
    rules = without(declared.needs, rule, verb)
    async with holding(api, SERVER, settings, words["{ns}"], rules, tmp_path) as caller:
        await until(
            lambda: said(caller, declared.name, words),
            lambda text: names_only(text, rule, verb),
            60,
            f"{verb} refused",
        )
