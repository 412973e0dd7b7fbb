"""The four answers that are looked at, for tests of their looks and for the documentation's pictures."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastmcp import Client

from tests.apps import mesh_metrics
from tests.apps.hosting import called
from tests.apps.recorded import ROLLOUT, TREE, result
from tests.prometheus import known


class Shown(NamedTuple):
    """An answer to look at."""

    uri: str
    arguments: Mapping[str, Any]
    result: Mapping[str, Any]


NAMES = ("plot", "traffic", "rollout", "tree")
_OF = {"plot": "metrics", "traffic": "metrics", "rollout": "argo", "tree": "kubernetes"}
_QUERIES = {
    "plot": (
        "prometheus_query_range_tool",
        {"query": "shop_temperature_celsius + 5", "start": known.BEGIN, "end": known.END, "max_points": 121},
    ),
    "traffic": ("prometheus_query_tool", {"query": mesh_metrics.REQUESTS, "time": known.END}),
}


def fixture_of(name: str) -> str:
    """The server that has the view."""
    return _OF[name]


async def shown(name: str, client: Client[Any]) -> Shown:
    uri = f"ui://kmcp/{'prometheus' if name in _QUERIES else _OF[name]}/{name}"
    if name in _QUERIES:
        tool, arguments = _QUERIES[name]
        answer = await called(client, tool, arguments)
        return Shown(uri, arguments, answer.model_dump(by_alias=True, mode="json", exclude_none=True))
    return Shown(uri, {"name": "checkout"}, result(ROLLOUT if name == "rollout" else TREE))
