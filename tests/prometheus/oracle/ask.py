"""Questions to a Prometheus through prometheus-api-client and through httpx; runs in an environment of its own.

Standard input: `{"url": …, "questions": [{"kind": …, …}]}`. Standard output: an answer of each client to each question.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import httpx  # type: ignore[import-not-found]  # not in the environment of the type checker
from prometheus_api_client import PrometheusConnect  # type: ignore[import-not-found]


def by_client(client: Any, question: dict[str, Any]) -> Any:
    """In the client's own calls."""
    kind = question["kind"]
    if kind == "instant":
        return client.custom_query(question["query"], params={"time": question["time"]})
    if kind == "range":
        start, end = (datetime.fromtimestamp(question[name], UTC) for name in ("start", "end"))
        return client.custom_query_range(question["query"], start, end, f"{question['step']}s")
    if kind == "series":
        start, end = (datetime.fromtimestamp(question[name], UTC) for name in ("start", "end"))
        return client.get_series(start, end, params={"match[]": question["match"]})
    if kind == "labels":
        return client.get_label_names(params={"match[]": question["match"]})
    if kind == "values":
        return client.get_label_values(question["label"])
    if kind == "metadata":
        return client.get_metric_metadata(question["metric"])
    return client.get_targets("active")["activeTargets"]


def by_http(url: str, question: dict[str, Any]) -> Any:
    """By the requests of the API's documentation."""
    kind, label = question["kind"], question.get("label")
    path, within = _PATHS[kind]
    names = {"match": "match[]"}
    parameters = {names.get(name, name): value for name, value in question.items() if name not in ("kind", "label")}
    answer = httpx.get(f"{url}/api/v1/{path.format(label=label)}", params=parameters)
    answer.raise_for_status()
    data = answer.json()["data"]
    return data[within] if within else data


_PATHS = {
    "instant": ("query", "result"),
    "range": ("query_range", "result"),
    "series": ("series", ""),
    "labels": ("labels", ""),
    "values": ("label/{label}/values", ""),
    "metadata": ("metadata", ""),
    "targets": ("targets", "activeTargets"),
}


def main() -> None:
    asked = json.load(sys.stdin)
    client = PrometheusConnect(url=asked["url"])
    answers = [
        {"prometheus-api-client": by_client(client, question), "httpx": by_http(asked["url"], question)}
        for question in asked["questions"]
    ]
    json.dump(answers, sys.stdout)


main()
