"""Alerting and recording rules."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kmcp_prometheus.answers import rule_groups
from kmcp_prometheus.arguments import OptionalMatch
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql import guard
from kmcp_runtime import Cursor, Effect, Limit, Page, cursors, tool

Exactly = Annotated[
    list[str] | None, BeforeValidator(lambda value: [value] if isinstance(value, str) else value), "Exact"
]


class Rules(Page[rule_groups.Rule]):
    """Rules in the order of their groups."""


@tool(Effect.READ)
async def prometheus_rules_tool(
    prometheus: Prometheus,
    type: Annotated[Literal["alert", "record"] | None, "Only these"] = None,
    rule_name: Exactly = None,
    rule_group: Exactly = None,
    file: Exactly = None,
    match: OptionalMatch = None,
    state: Annotated[Literal["firing", "pending", "inactive"] | None, "Of alerts"] = None,
    health: Annotated[Literal["ok", "err", "unknown"] | None, "Of evaluation"] = None,
    alerts: Annotated[bool, "With active alerts"] = False,
    limit: Annotated[Limit, "Most groups", Field(ge=1, le=500)] = 50,
    cursor: Cursor = None,
) -> Rules:
    """Show alerting and recording rules with state; health=err finds rules that fail."""
    if match is not None:
        guard.selectors(match)
    wanted = rule_groups.Wanted(type, rule_name or (), rule_group or (), file or (), match or (), state, health, alerts)
    # The limit too: a page of another size would end at another group.
    arguments = {**asdict(wanted), "limit": limit, "datasource": prometheus.source.name}
    position = cursors.decode(cursor, arguments, **rule_groups.PARTS) if cursor else {}
    found = await rule_groups.read_rules(prometheus, wanted, limit, position)
    # A cursor inside a page counts the rules of it that were shown before.
    shown = found.rules[found.position.get("rules", 0) :]
    result = Rules(
        items=shown,
        truncated=found.following is not None,
        warnings=found.warnings,
        cursor=rule_groups.cursor_at(found, len(shown), arguments) or None,
    )
    result.continues_at(lambda kept: rule_groups.cursor_at(found, kept, arguments))
    if not shown and found.following is None:
        result.hint = (
            "No rule fits; leave some filters out."
            if wanted != rule_groups.Wanted()
            else "No rules are loaded; prometheus_status_config_tool section=rule_files shows where they are read."
        )
    return result
