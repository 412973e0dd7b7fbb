"""Addresses of Grafana's pages; no request is sent."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import AfterValidator

from kmcp_grafana.client.grafana import Grafana, at
from kmcp_runtime import moment_of


def _link_time(value: str | None) -> str | None:
    """A time as Grafana's pages take it in an address."""
    if value is None:
        return None
    seconds = moment_of(value)
    text = value.strip()
    if text.startswith(("+", "-")):
        return f"now{text}"
    # Relative times stay relative, so that the page follows the clock.
    return text if text.startswith("now") else str(round(seconds * 1000))


LinkStart = Annotated[str | None, AfterValidator(_link_time), "From, e.g. now-1h"]
LinkEnd = Annotated[str | None, AfterValidator(_link_time), "Until"]


def dashboard(
    grafana: Grafana, uid: str, panel_id: int | None, start: str | None, end: str | None, variables: Mapping[str, str]
) -> str:
    given = {"viewPanel": panel_id, "from": start, "to": end}
    query = [(name, str(value)) for name, value in given.items() if value is not None]
    query += [(f"var-{name}", value) for name, value in variables.items()]
    return grafana.link(at("/d/{}", uid)) + _query(grafana, query)


def explore(grafana: Grafana, datasource: str, query: str | None, start: str | None, end: str | None) -> str:
    """Explore with one query."""
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
