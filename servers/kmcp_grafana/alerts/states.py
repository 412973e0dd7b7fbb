"""What fires now: states of rules, and alerts of the Alertmanager."""

from typing import Annotated, Literal

from kmcp_grafana.actions.arguments import FolderUid
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.alerts.silences import ALERTMANAGER, NARROW, Matchers, filters_of
from kmcp_grafana.client.grafana import Grafana, Row
from kmcp_runtime import Limit

State = Annotated[Literal["firing", "pending", "normal", "nodata", "error"], "State of rules"]

_RULES = "/api/prometheus/grafana/api/v1/rules"


async def list_rules(
    grafana: Grafana, limit: Limit = 50, state: State | None = None, folder_uid: FolderUid | None = None
) -> Answer:
    answered = await grafana.read(_RULES)
    rows = [
        _rule(group, rule)
        for group in (answered.get("data") or {}).get("groups") or ()
        if folder_uid in (None, group.get("folderUid"))
        for rule in group.get("rules") or ()
    ]
    found = cut_list([row for row in rows if state in (None, row["state"])], lambda row: row, limit, NARROW)
    return explain_empty(
        found, f"No rule is {state}; rules in all: {len(rows)}." if state else "There are no alert rules here."
    )


async def list_alerts(grafana: Grafana, limit: Limit = 50, matchers: Matchers | None = None) -> Answer:
    rows = await grafana.read(f"{ALERTMANAGER}/alerts", filters_of(matchers))
    return explain_empty(cut_list(rows, _alert, limit, NARROW), "No alert that matches is firing.")


def _rule(group: Row, rule: Row) -> Row:
    # Alerts of a rule are listed when they are normal, too.
    firing = [alert for alert in rule.get("alerts") or () if str(alert.get("state", "")).lower() not in ("normal", "")]
    shown = {"name": rule.get("name"), "state": _state(rule), "folder": group.get("file"), "group": group.get("name")}
    shown |= {**pick(rule, "uid", "labels", "lastError"), **({"instances": len(firing)} if firing else {})}
    since = min((alert["activeAt"] for alert in firing if alert.get("activeAt")), default=None)
    return {**shown, **({"since": since} if since else {})}


def _state(rule: Row) -> str:
    # A rule that cannot be evaluated keeps its last state; its health says more.
    health = str(rule.get("health", "")).lower()
    if health in ("error", "nodata"):
        return health
    return {"inactive": "normal"}.get(str(rule.get("state", "")), str(rule.get("state") or "normal"))


def _alert(row: Row) -> Row:
    status = row.get("status") or {}
    shown = {"alert": (row.get("labels") or {}).get("alertname"), "state": status.get("state"), **pick(row, "startsAt")}
    labels = {key: value for key, value in (row.get("labels") or {}).items() if key != "alertname"}
    summary = (row.get("annotations") or {}).get("summary")
    return {**shown, "labels": labels, **({"summary": summary} if summary else {}), **pick(status, "silencedBy")}
