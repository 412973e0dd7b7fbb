"""Addresses of Grafana's pages; no request is sent."""

import json
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BeforeValidator, WithJsonSchema

from kmcp_grafana.actions.moments import end_of, link_time_of, start_of
from kmcp_grafana.client.grafana import Grafana, at
from kmcp_runtime import bad_argument

LinkTime = Annotated[str | None, BeforeValidator(link_time_of), WithJsonSchema({"type": "string"})]
"""`now-1h` and its like, or milliseconds: what Grafana's pages take."""
Variables = dict[str, str | list[str]]


def check_order(start: str | None, end: str | None) -> None:
    """Refuse a range that ends before it begins; both are in the form of addresses."""
    if start is not None and end is not None and start_of(start) >= end_of(end):
        raise bad_argument(f"start: {start} must be before end, {end}", "start=now-6h end=now")


def dashboard(
    grafana: Grafana,
    uid: str,
    panel_id: int | None,
    start: str | None,
    end: str | None,
    variables: Variables,
) -> str:
    check_order(start, end)
    given = {"viewPanel": panel_id, "from": start, "to": end}
    query = [(name, str(value)) for name, value in given.items() if value is not None]
    for name, values in variables.items():
        # A variable of several values is there once for each.
        query += [(f"var-{name}", value) for value in ([values] if isinstance(values, str) else values)]
    return grafana.link(at("/d/{}", uid)) + _query(grafana, query)


def explore(grafana: Grafana, datasource: str, query: str | None, start: str | None, end: str | None) -> str:
    """Explore with one query."""
    check_order(start or "now-1h", end or "now")
    asked: dict[str, Any] = {"refId": "A", "datasource": {"uid": datasource}}
    # Each kind of data source reads the query from a member of its own, and ignores the other.
    asked |= {"expr": query, "query": query} if query else {}
    pane = {"datasource": datasource, "queries": [asked], "range": {"from": start or "now-1h", "to": end or "now"}}
    panes = json.dumps({"a": pane}, separators=(",", ":"))
    return grafana.link("/explore") + _query(grafana, [("schemaVersion", "1"), ("panes", panes)])


def _query(grafana: Grafana, query: list[tuple[str, str]]) -> str:
    organisation = grafana.settings.grafana_org_id
    # Without it the page opens in the organisation that the reader used last.
    query = [("orgId", str(organisation)), *query] if organisation else query
    return f"?{urlencode(query)}" if query else ""
