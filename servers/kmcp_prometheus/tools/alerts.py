"""Alerts that fire or are about to, and where they are sent."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kmcp_prometheus.answers import active_alerts
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql import guard, matching
from kmcp_runtime import Effect, Limit, Page, Result, tool
from kmcp_runtime.worker import run_in_thread


class Alerts(Page[active_alerts.Alert]):
    """Alerts, firing ones first, the oldest of them first."""

    counts: dict[str, dict[str, int]] = Field(default_factory=dict, description="By state and name, of all that match")


class Alertmanagers(Result):
    """Where alerts are sent."""

    active: list[str]
    dropped: list[str]


@tool(Effect.READ)
async def prometheus_alerts_tool(
    prometheus: Prometheus,
    state: Annotated[Literal["firing", "pending"] | None, "Only these"] = None,
    match: Annotated[
        list[str] | None,
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        "Label matchers, all must hold",
    ] = None,
    limit: Limit = 100,
) -> Alerts:
    """Show active alerts: what fires now and since when."""
    matchers = [matcher for text in match or () for matcher in guard.matchers(text)]
    reply = await prometheus.get("/alerts")
    active = reply.read(lambda data: [active_alerts.of(entry) for entry in data["alerts"] or ()])
    # An expression is searched for in the labels of every alert, and there may be many.
    found = await run_in_thread(_wanted, active, state, matchers)
    result = Alerts(
        items=found[:limit],
        total=len(found),
        truncated=len(found) > limit,
        counts=_counts(found),
        warnings=reply.warnings,
    )
    if result.truncated:
        result.hint = "Narrow with state or match."
    elif active and not found:
        result.hint = f"None of {len(active)} active alerts matches."
    elif not found:
        result.hint = "No alert is pending or firing; prometheus_rules_tool type=alert shows the rules."
    return result


@tool(Effect.READ)
async def prometheus_alertmanagers_tool(prometheus: Prometheus) -> Alertmanagers:
    """Show which Alertmanagers get the alerts, and which were dropped."""
    reply = await prometheus.get("/alertmanagers")
    active = reply.read(lambda data: _urls(data["activeAlertmanagers"]))
    dropped = reply.read(lambda data: _urls(data.get("droppedAlertmanagers")))
    result = Alertmanagers(active=active, dropped=dropped, warnings=reply.warnings)
    if not active:
        result.hint = (
            "Alerts are not sent anywhere; prometheus_status_config_tool section=alerting shows the configuration."
        )
    return result


def _wanted(
    active: Sequence[active_alerts.Alert], state: str | None, matchers: Sequence[matching.Matcher]
) -> list[active_alerts.Alert]:
    found = [one for one in active if state in (None, one.state) and matching.match(one.all_labels(), matchers)]
    # False sorts first: what fires comes before what is pending.
    return sorted(found, key=lambda one: (one.state != "firing", one.active_at or ""))


def _counts(found: list[active_alerts.Alert]) -> dict[str, dict[str, int]]:
    states = Counter(one.state for one in found)
    return {state: dict(Counter(one.name for one in found if one.state == state).most_common()) for state in states}


def _urls(entries: Any) -> list[str]:
    return [_without_userinfo(str(entry["url"])) for entry in entries or ()]


def _without_userinfo(url: str) -> str:
    # The configuration may hold credentials in the URL, which Prometheus shows here unmasked.
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
