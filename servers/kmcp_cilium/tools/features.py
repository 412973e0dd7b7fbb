"""Which features are in use, from the metrics of agents and operator."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.answers import Answers, SpreadPage
from kmcp_cilium.arguments import EveryNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.policy import policy_objects
from kmcp_cilium.rights import PODS
from kmcp_runtime import Cursor, Effect, Limit, Rule, ToolFailure, unavailable

_PATTERN = "cilium_.*feature"
_OPERATOR = "io.cilium/app=operator"
_OPERATOR_CONTAINER = "cilium-operator"
_BESIDE = ("kube-proxy", "node-local-dns")
Series = Iterable[Mapping[str, Any]]


class Feature(BaseModel):
    """A feature and where it is in use."""

    feature: str
    labels: dict[str, str]
    nodes: int = Field(description="Agents that use it; 1 for the operator")
    mixed: bool = Field(description="True when not all agents use it")
    of: str = Field(description="agent, or operator")


class Features(SpreadPage[Feature]):
    """Features in use, by name."""

    beside: dict[str, bool] = Field(description="Whether kube-proxy and node-local-dns run")


@agent_tool(
    Effect.READ,
    PODS,
    Rule("apps", ("daemonsets",), ("list",)),
    why="the agent is real; the operator, of which the tests can have no image, is a stand-in",
)
async def cilium_show_features_status(
    cilium: Cilium,
    node_name: EveryNode = None,
    match: Annotated[str | None, "Part of the name or a label"] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Features:
    """Show which of Cilium's features are in use, and where nodes differ."""
    answers = await cilium.try_agents(node_name, lambda agent: agent.call_json("metrics", "list", "-p", _PATTERN))
    operator = await _read_operator_metrics(cilium)
    unread = operator if isinstance(operator, ToolFailure) else None
    if not answers.by_node and (unread or not operator):
        raise answers.first_failure
    found = [*_of_agents(answers), *([] if isinstance(operator, ToolFailure) else _of_operator(operator))]
    kept = [each for each in found if match is None or match.lower() in f"{each.feature} {each.labels}".lower()]
    kept.sort(key=lambda each: (each.of, each.feature, sorted(each.labels.items())))
    # Their presence decides which features of Cilium can be in effect.
    sets = await policy_objects.list_objects(cilium, await cilium.discovery.resolve("daemonsets.apps"), None)
    names = {each["metadata"]["name"] for each in sets}
    hint = None if kept else "No feature's name or label contains that." if match else "The agents report no feature."
    page = cilium.page(
        Features,
        kept,
        limit,
        cursor,
        hint,
        beside={name: name in names for name in _BESIDE},
        unreachable=answers.unreachable,
    )
    page.warnings = [f"the operator's features are not shown: {unread.message}"] if unread else None
    return page


def _of_agents(answers: Answers[Any]) -> list[Feature]:
    nodes: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for _, series in answers:
        # Counted by name and labels: a feature may be in use in one mode on some nodes, in another on the rest.
        for key in _in_use(series):
            nodes[key] = nodes.get(key, 0) + 1
    return [
        Feature(feature=name, labels=dict(labels), nodes=count, mixed=count < len(answers.by_node), of="agent")
        for (name, labels), count in nodes.items()
    ]


def _of_operator(series: Series) -> list[Feature]:
    return [
        Feature(feature=name, labels=dict(labels), nodes=1, mixed=False, of="operator")
        for name, labels in _in_use(series)
    ]


def _in_use(series: Series | None) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Name and labels of each feature whose metric is not 0."""
    return [
        (each["name"], tuple(sorted((each.get("labels") or {}).items()))) for each in series or () if each.get("value")
    ]


async def _read_operator_metrics(cilium: Cilium) -> Series | ToolFailure:
    """The same metrics of the operator, read with its own program; or why they cannot be read."""
    operator = await cilium.find_companion(_OPERATOR, _OPERATOR_CONTAINER)
    if operator is None:
        return []
    pod = await cilium.read_kind("pods", operator.pod.name, operator.pod.namespace)
    containers = [each for each in pod["spec"]["containers"] if each["name"] == _OPERATOR_CONTAINER]
    if not containers:
        return unavailable(f"pod {operator.pod.name} has no container {_OPERATOR_CONTAINER}")
    # The binary has another name in each build: cilium-operator-generic, -aws, -azure.
    program = (containers[0].get("command") or [_OPERATOR_CONTAINER])[0]
    return await operator.try_json(program, "metrics", "list", "-p", _PATTERN, "-o", "json") or []
