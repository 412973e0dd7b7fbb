"""Labels and annotations."""

import json

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster


@pytest.fixture
async def target(api: KubeApi, namespace: str) -> dict[str, str]:
    """The arguments that name a ConfigMap with the label a=1."""
    metadata = {"name": "c", "labels": {"a": "1"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"big": "data"}}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/configmaps", (), body)
    return {"resource_type": "cm", "resource_name": "c", "namespace": namespace}


async def test_labels(tools: ToolCaller, api: KubeApi, namespace: str, target: dict[str, str]) -> None:
    rehearsed = await tools.ok("k8s_label_resource", **target, labels={"b": "2"}, dry_run=True)
    assert rehearsed["changed"] == [{"key": "b", "to": "2"}]
    assert rehearsed["dry_run"] is True
    # The answer holds the metadata alone: the rest of the object was not asked for, and is not taken for removed.
    assert not rehearsed.get("warnings")
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    assert (await api.get(path))["metadata"]["labels"] == {"a": "1"}

    done = await tools.ok("k8s_label_resource", **target, labels={"a": "1", "b": "2"})
    assert done["labels"] == {"a": "1", "b": "2"}
    assert done["changed"] == [{"key": "b", "to": "2"}]
    assert (done["kind"], done["name"], done["namespace"], done["result"]) == ("ConfigMap", "c", namespace, "changed")
    assert "+  b: '2'" in done["diff"]
    assert "big" not in json.dumps(done)

    again = await tools.ok("k8s_label_resource", **target, labels={"a": "1", "b": "2"})
    assert again["changed"] == []
    assert again["result"] == "unchanged"


async def test_a_label_with_another_value_needs_overwrite(tools: ToolCaller, target: dict[str, str]) -> None:
    failed = await tools.fails("k8s_label_resource", **target, labels={"a": "2", "b": "2"})
    assert failed["code"] == "conflict"
    assert "a=1" in failed["message"]
    assert "overwrite=true" in failed["hint"]
    done = await tools.ok("k8s_label_resource", **target, labels={"a": "2"}, overwrite=True)
    assert done["changed"] == [{"key": "a", "from": "1", "to": "2"}]
    assert done["labels"] == {"a": "2"}


async def test_labels_as_text(tools: ToolCaller, target: dict[str, str]) -> None:
    done = await tools.ok("k8s_label_resource", **target, labels="b=2 example.com/c=3,d=")
    assert done["labels"] == {"a": "1", "b": "2", "example.com/c": "3", "d": ""}
    for labels in ("b", "b-", "=2", ""):
        failed = await tools.fails("k8s_label_resource", **target, labels=labels)
        assert failed["code"] == "bad_argument"


async def test_labels_that_cannot_be(tools: ToolCaller, target: dict[str, str]) -> None:
    for labels in ({"b": "two words"}, {"b c": "1"}, {"b": "x" * 64}, "b=two words c=3", {"b/c/d": "1"}):
        failed = await tools.fails("k8s_label_resource", **target, labels=labels)
        assert failed["code"] == "bad_argument", labels
        assert "metadata.labels" in failed["message"]
    for shape in ({}, {"b": 1}, {"b": ["x"]}, ["b=1"]):
        failed = await tools.fails("k8s_label_resource", **target, labels=shape)
        assert failed["code"] == "bad_argument", shape
    again = await tools.ok("k8s_label_resource", **target, labels={"a": "1"})
    assert again["labels"] == {"a": "1"}


async def test_removing_a_label(tools: ToolCaller, api: KubeApi, namespace: str, target: dict[str, str]) -> None:
    rehearsed = await tools.ok("k8s_remove_label", **target, label_key="a", dry_run=True)
    assert rehearsed["changed"] == [{"key": "a", "from": "1"}]
    done = await tools.ok("k8s_remove_label", **target, label_key="a")
    assert done["changed"] == [{"key": "a", "from": "1"}]
    assert done["labels"] == {}
    again = await tools.ok("k8s_remove_label", **target, label_key="a")
    assert again["changed"] == []


async def test_annotations(tools: ToolCaller, api: KubeApi, namespace: str, target: dict[str, str]) -> None:
    annotations = {"note": "two words\nand a line", "long": "x" * 1000, "deploy-token": "abcdef-secret"}
    done = await tools.ok("k8s_annotate_resource", **target, annotations=annotations)
    assert done["annotations"]["note"] == "two words\nand a line"
    assert done["annotations"]["long"].endswith("… (1000 characters)")
    assert "abcdef-secret" not in json.dumps(done)
    found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/c")
    assert found["metadata"]["annotations"] == annotations
    failed = await tools.fails("k8s_annotate_resource", **target, annotations={"note": "other"})
    assert failed["code"] == "conflict"
    done = await tools.ok("k8s_annotate_resource", **target, annotations="note=hello world owner=me", overwrite=True)
    assert done["annotations"]["note"] == "hello world"
    assert done["annotations"]["owner"] == "me"

    done = await tools.ok("k8s_remove_annotation", **target, annotation_key="note")
    assert done["changed"] == [{"key": "note", "from": "hello world"}]
    assert (await tools.ok("k8s_remove_annotation", **target, annotation_key="note"))["changed"] == []
    rehearsed = await tools.ok("k8s_remove_annotation", **target, annotation_key="owner", dry_run=True)
    assert rehearsed["changed"] == [{"key": "owner", "from": "me"}]
    assert "owner" in (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/c"))["metadata"]["annotations"]


async def test_cluster_scoped_and_absent(tools: ToolCaller, namespace: str, target: dict[str, str]) -> None:
    done = await tools.ok("k8s_label_resource", resource_type="ns", resource_name=namespace, labels={"team": "blue"})
    assert done["labels"]["team"] == "blue"
    assert "namespace" not in done
    failed = await tools.fails("k8s_label_resource", **{**target, "resource_name": "cc"}, labels={"a": "1"})
    assert failed["code"] == "not_found"
    failed = await tools.fails(
        "k8s_remove_label", resource_type="ns", resource_name=namespace, namespace=namespace, label_key="a"
    )
    assert failed["code"] == "bad_argument"
    failed = await tools.fails("k8s_remove_label", **target, label_key="")
    assert failed["code"] == "bad_argument"
