"""G14: a Service whose selector matches no pod names the pods that come nearest, and what of their labels differs."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_kubernetes.services.nearest_pods import in_words
from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pods_path
from tests.mcp import ToolCaller


def labelled(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {key.replace("__", "/"): value for key, value in labels.items()}}}


PODS = [
    labelled("db-0", app="db", tier="back"),
    labelled("web-1", app="webb", tier="front"),
    labelled("web-2", app="webb", tier="front"),
    labelled("bare"),
]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"app": "web", "tier": "front"}, "nearest: 2 pods like web-1: app is webb, not web; pod db-0: app is db"),
        ({"App": "db"}, "nearest: pod db-0: no label App but app=db"),
        ({"app.kubernetes.io/name": "db"}, "nearest: pod db-0: no label app.kubernetes.io/name but app=db"),
        ({"release": "r"}, "nearest: 4 pods like db-0: no label release"),
    ],
)
def test_the_nearest_come_first(wanted: dict[str, str], said: str) -> None:
    assert in_words(wanted, PODS).startswith(said)


def test_without_pods_and_with_pods_elsewhere() -> None:
    assert in_words({"app": "web"}, [], ["other"]) == "the namespace has no pods; pods in namespace other match it"


words = st.text("abc", min_size=1, max_size=3)
labels = st.dictionaries(words, words, max_size=3)


@given(wanted=st.dictionaries(words, words, min_size=1, max_size=3), found=st.lists(labels, max_size=5))
def test_every_difference_is_true(wanted: dict[str, str], found: list[dict[str, str]]) -> None:
    """One pod at a time: each wanted label that it lacks is named in its order, and none that it has."""
    for each in found:
        lacking = [key for key, value in wanted.items() if each.get(key) != value]
        said = in_words(wanted, [labelled("p", **each)]).removeprefix("nearest: pod p: ")
        assert re.findall(r"(?:^|, )(?:no label )?(\w+)(?= is \w|,|$| but )", said) == lacking


@pytest.mark.cluster
async def test_a_service_names_what_its_selector_misses(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("web", "none", schedulerName="none"))
    spec = {"ports": [{"port": 80}], "selector": {"app": "webb"}}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "s"}, "spec": spec})
    said = "its selector app=webb matches no pod; nearest: pod web: app is web, not webb"
    described = await tools.ok("k8s_describe_resource", resource_type="svc", resource_name="s", namespace=namespace)
    assert described["details"]["problem"] == said
    asked = await tools.ok("k8s_check_service_connectivity", service_name="s", namespace=namespace)
    assert asked["reason"] == said
