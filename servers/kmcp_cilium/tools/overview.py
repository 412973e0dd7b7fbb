"""Cilium as a whole."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.answers import Answers
from kmcp_cilium.chart import workloads
from kmcp_cilium.chart.workloads import Component, Coverage
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state.fields import part
from kmcp_runtime import Effect, Result, Rule, ToolFailure

_STATUS = ("status", "--brief", "--require-k8s-connectivity=false")
_WELL = "Ok"
_MOST = 50
_UNCOUNTED = (
    "Managed pods are not counted: this cluster has no CiliumEndpoints (disable-endpoint-crd). "
    "cilium_get_endpoints_list node_name=… asks an agent for its own."
)


class AgentState(BaseModel):
    """One agent."""

    node: str
    state: str
    message: str | None = None


class Overview(Result):
    """Whether Cilium is healthy, and its versions and features."""

    healthy: bool
    version: dict[str, str] = Field(description="Of agents, operator, envoy, relay")
    components: list[Component]
    agents: list[AgentState] = Field(description="Unhealthy ones; with verbose all")
    agents_total: int
    endpoints: Coverage
    features: dict[str, str]
    problems: list[str]


@agent_tool(
    Effect.READ,
    Rule("apps", ("daemonsets", "deployments"), ("list",)),
    Rule("", ("configmaps",), ("get",)),
    Rule("cilium.io", ("ciliumendpoints",), ("list",)),
)
async def cilium_status_and_version(cilium: Cilium, verbose: Annotated[bool, "Every agent"] = False) -> Overview:
    """Show whether Cilium is healthy: versions, components, agents, managed pods, features; start here."""
    answers, absent = await _ask(cilium)
    states = {node: state for node, (state, _) in answers}
    versions = Counter(version for _, (_, version) in answers)
    components, configuration = await workloads.list_components(cilium), await workloads.read_configuration(cilium)
    if absent and not components:
        raise absent
    coverage = await workloads.count_coverage(cilium, configuration)
    states |= {
        node: AgentState(node=node, state="unreachable", message=failure.message)
        for node, failure in answers.failures.items()
    }
    problems = [*_of_agents(states, versions), *_of_components(components, coverage)]
    problems += [absent.message] if absent else []
    shown = [state for _, state in sorted(states.items()) if verbose or state.state != _WELL]
    return Overview(
        healthy=not problems,
        problems=problems,
        components=components,
        # A large cluster may have thousands of agents, and one fault shared by many.
        agents=shown[:_MOST],
        endpoints=coverage,
        version={**({"agents": ", ".join(sorted(versions))} if versions else {}), **workloads.versions(components)},
        agents_total=len(states),
        features=workloads.features(configuration) if configuration else {},
        hint=_UNCOUNTED if coverage.managed is None else None,
    )


async def _ask(cilium: Cilium) -> tuple[Answers[tuple[AgentState, str]], ToolFailure | None]:
    """What agents say; where there are none, no answer and the failure that says so."""
    try:
        return await cilium.try_agents(None, _read_state), None
    except ToolFailure as failure:
        if failure.code != "unavailable":
            raise
        return Answers({}), failure


async def _read_state(agent: Agent) -> tuple[AgentState, str]:
    answer = part(await agent.call_json(*_STATUS), "cilium")
    state = AgentState(node=agent.node, state=answer.get("state") or "Unknown", message=answer.get("msg"))
    return state, await agent.read_version()


def _of_agents(states: Mapping[str, AgentState], versions: Counter[str]) -> list[str]:
    ill = [node for node, state in sorted(states.items()) if state.state != _WELL]
    answer = [f"the agent on {', '.join(ill[:5])} is not healthy"] if ill else []
    if len(versions) > 1:
        answer.append("agents run several versions: " + ", ".join(f"{v} on {n}" for v, n in sorted(versions.items())))
    return answer


def _of_components(components: list[Component], coverage: Coverage) -> list[str]:
    answer = [f"{each.name}: {each.ready} of {each.desired} ready" for each in components if each.ready < each.desired]
    # Pods that started before the agents have no endpoint until they are recreated.
    if coverage.managed is not None and coverage.managed < coverage.pods:
        answer.append(f"{coverage.pods - coverage.managed} running pods are not managed by Cilium: recreate them")
    return answer
