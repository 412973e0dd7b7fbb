"""The metrics of one agent."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from kmcp_cilium.arguments import OneNode, check_operand
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_runtime import Cursor, Effect, Limit, Page, pattern


def check_pattern(pattern: str | None) -> str | None:
    """Refuse a pattern with a quotation mark."""
    if pattern is None:
        return None
    # The command passes the pattern in single quotes to the agent's own shell.
    if "'" in pattern:
        raise ValueError("contains a quotation mark, which no metric name has")
    return check_operand(pattern)


class Metric(BaseModel):
    """One value."""

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    value: float


class Metrics(Page[Metric]):
    """Metrics, by name and labels."""

    node: str


@agent_tool(Effect.READ)
async def cilium_list_metrics(
    cilium: Cilium,
    match_pattern: Annotated[str | None, AfterValidator(check_pattern), "Expression for the name"] = None,
    node_name: OneNode = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Metrics:
    """Read an agent's own metrics; narrow them, for example with match_pattern=drop for dropped packets by reason."""
    if match_pattern:
        # Checked here, so that a broken expression is refused before an agent is asked.
        pattern(match_pattern, "match_pattern")
    agent = await cilium.find_one_agent(node_name)
    answer = await agent.call_json("metrics", "list", *(("-p", match_pattern) if match_pattern else ()))
    metrics = [
        Metric(name=each["name"], labels=each.get("labels") or {}, value=each.get("value", 0)) for each in answer or ()
    ]
    metrics.sort(key=lambda metric: (metric.name, sorted(metric.labels.items())))
    hint = None if metrics else "No metric's name matches; without match_pattern all are listed."
    return cilium.page(Metrics, metrics, limit, cursor, hint, node=agent.node)
