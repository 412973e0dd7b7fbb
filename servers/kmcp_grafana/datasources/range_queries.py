"""A query over a time range in PromQL or LogQL, whichever the data source speaks."""

from typing import Any, Literal

from kmcp_grafana.client.grafana import Row
from kmcp_grafana.datasources import queries
from kmcp_runtime import bad_argument

Mode = Literal["points", "summary"]
_METRICS = ("prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource")


def build_query(source: Row, query: str, limit: int) -> Row:
    if source["type"] in _METRICS:
        # With `instant` as well, the plugin would answer each series twice.
        return {"expr": query, "range": True, "instant": False}
    if source["type"] == "loki":
        # One more than is shown, to know whether there are more.
        return {"expr": query, "maxLines": limit + 1, "queryType": "range"}
    raise bad_argument(
        f"datasource: {source['name']} has type {source['type']}, whose queries have other fields",
        f"grafana_datasource_management action=query uid={source['uid']} with spec in the plugin's own fields",
    )


def show_series(name: str, labels: Row, points: list[list[Any]], mode: Mode) -> Row:
    shown = {"name": name, "labels": labels}
    return {**shown, **queries.summary(points)} if mode == "summary" else {**shown, "values": queries.readable(points)}
