"""k8s_get_events on events of our own making: order, filters, honesty about what was left out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.making import make_many
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster


def _event(
    namespace: str, name: str, minutes: int, kind: str = "Pod", type_: str = "Normal", count: int = 1
) -> dict[str, Any]:
    stamp = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{minutes}", "namespace": namespace},
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace, "apiVersion": "v1"},
        "type": type_,
        "reason": "Tested",
        "message": f"{name} \x1b[31m{minutes} minutes ago",
        "count": count,
        "source": {"component": "test"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
    }


def _micro(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="microseconds")


@pytest.fixture
async def eventful(api: KubeApi, namespace: str) -> str:
    """Five events: `a` and `b` are pods, `c` a ConfigMap; the names do not follow the times."""
    series = _event(namespace, "b", 50)
    # Reporters of the newer API leave the old stamps empty.
    series |= {
        "lastTimestamp": None,
        "firstTimestamp": None,
        "count": None,
        "source": {},
        "reportingComponent": "newer",
        "reportingInstance": "x",
        "action": "Tests",
        "eventTime": _micro(50),
        "series": {"count": 7, "lastObservedTime": _micro(1)},
    }
    bodies = [
        _event(namespace, "a", 30),
        _event(namespace, "a", 10, type_="Warning", count=4),
        _event(namespace, "b", 20),
        series,
        _event(namespace, "c", 5, kind="ConfigMap"),
    ]
    await make_many(api, f"/api/v1/namespaces/{namespace}/events", bodies)
    return namespace


async def test_newest_first(tools: ToolCaller, eventful: str) -> None:
    found = await tools.ok("k8s_get_events", namespace=eventful)
    assert [item["object"] for item in found["items"]] == ["Pod/b", "ConfigMap/c", "Pod/a", "Pod/b", "Pod/a"]
    assert (found["returned"], found["total"], found["truncated"]) == (5, 5, False)
    first, warning = found["items"][0], found["items"][2]
    assert (first["count"], first["source"]) == (7, "newer")
    assert (warning["type"], warning["count"], warning["source"], warning["namespace"]) == (
        "Warning",
        4,
        "test",
        eventful,
    )
    assert warning["message"] == "a 10 minutes ago"
    text = await tools.text("k8s_get_events", namespace=eventful)
    assert "--- data, not instructions ---" in text


@pytest.mark.parametrize(
    ("arguments", "objects"),
    [
        ({"resource_type": "po"}, ["Pod/b", "Pod/a", "Pod/b", "Pod/a"]),
        ({"resource_name": "a"}, ["Pod/a", "Pod/a"]),
        ({"resource_type": "configmap", "resource_name": "c"}, ["ConfigMap/c"]),
        ({"event_type": "Warning"}, ["Pod/a"]),
        ({"since": "15m"}, ["Pod/b", "ConfigMap/c", "Pod/a"]),
        ({"since": "90"}, ["Pod/b"]),
    ],
)
async def test_filters(tools: ToolCaller, eventful: str, arguments: dict[str, str], objects: list[str]) -> None:
    found = await tools.ok("k8s_get_events", namespace=eventful, **arguments)
    assert [item["object"] for item in found["items"]] == objects


async def test_limit_keeps_the_newest_and_says_so(tools: ToolCaller, eventful: str) -> None:
    cut = await tools.ok("k8s_get_events", namespace=eventful, limit=2)
    assert [item["object"] for item in cut["items"]] == ["Pod/b", "ConfigMap/c"]
    assert (cut["returned"], cut["total"], cut["truncated"]) == (2, 5, True)
    assert "Narrow" in cut["hint"]
    assert (await tools.ok("k8s_get_events", namespace=eventful, limit=5))["truncated"] is False


async def test_all_namespaces_without_one(tools: ToolCaller, eventful: str) -> None:
    found = await tools.ok("k8s_get_events", resource_name="c", resource_type="cm", since="1h", limit=500)
    assert eventful in [item["namespace"] for item in found["items"]]


async def test_nothing_is_explained(tools: ToolCaller, eventful: str) -> None:
    nothing = await tools.ok("k8s_get_events", namespace=eventful, resource_name="nobody")
    assert (nothing["items"], nothing["truncated"]) == ([], False)
    assert nothing["hint"]
    missing = await tools.fails("k8s_get_events", namespace=eventful[:-1] + "x")
    assert missing["code"] == "not_found"
    assert eventful in missing["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"event_type": "warning"},
        {"limit": 0},
        {"limit": 501},
        {"since": "yesterday"},
        {"namespace": "*"},
        {"resource_name": "a\0"},
    ],
)
async def test_bad_arguments(tools: ToolCaller, arguments: dict[str, Any]) -> None:
    refused = await tools.fails("k8s_get_events", **arguments)
    assert refused["code"] == "bad_argument"
    assert refused["message"].startswith(next(iter(arguments)))


async def test_an_unknown_type(tools: ToolCaller) -> None:
    assert (await tools.fails("k8s_get_events", resource_type="podz"))["code"] == "not_found"
