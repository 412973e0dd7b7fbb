"""A query over a time range in PromQL or LogQL, whichever the data source speaks."""

from typing import Any, Literal

from kmcp_grafana.client.grafana import Row
from kmcp_grafana.datasources import queries
from kmcp_runtime import bad_argument

Mode = Literal["points", "summary"]
_METRICS = ("prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource")


def build_query(source: Row, query: str, limit: int) -> Row:
    if source["type"] in _METRICS:
        return {"expr": query, "range": True, "instant": False}
    if source["type"] == "loki":
        # One more than is shown: whether there are more is then known.
        return {"expr": query, "maxLines": limit + 1, "queryType": "range"}
    raise bad_argument(
        f"datasource: {source['name']} is of type {source['type']}, whose queries have other fields",
        f"grafana_datasource_management action=query uid={source['uid']} with spec in the plugin's own fields",
    )


def show_series(name: str, labels: Row, points: list[list[Any]], mode: Mode) -> Row:
    told = {"name": name, "labels": labels}
    return {**told, **queries.summary(points)} if mode == "summary" else {**told, "values": queries.readable(points)}
