"""Lists, images, referenced workloads and experiments."""

import asyncio
from operator import itemgetter
from typing import Any

import pytest

from kmcp_runtime import ERROR_META
from kmcp_runtime.kube.api import KubeApi
from tests.argo.install import SLEEPER
from tests.argo.making import canary, experiment, rollout, rollouts_path, template
from tests.kubernetes.making import make, make_many
from tests.mcp import ToolCaller
from tests.paging import brings_each_once
from tests.slowness import whole
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.usefixtures("controller")]


async def test_a_list_is_paged_and_its_cursor_brings_each_rollout_once(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    names = [f"web-{number}" for number in range(5)]
    await make_many(
        api, rollouts_path(namespace), [rollout(name, canary({"setWeight": 20}), replicas=0) for name in names]
    )
    seen: list[str] = []
    answer = await tools.ok("argo_rollouts_list", namespace=namespace, limit=2)
    assert answer["total"] == 5
    while True:
        seen += [item["name"] for item in answer["items"]]
        if not answer["truncated"]:
            break
        answer = await tools.ok("argo_rollouts_list", namespace=namespace, limit=2, cursor=answer["cursor"])
    assert seen == names
    assert {item["strategy"] for item in answer["items"]} == {"Canary"}
    await brings_each_once(tools, "argo_rollouts_list", len(names), key=itemgetter("name"), namespace=namespace)
    everywhere = await tools.ok("argo_rollouts_list", selector="app=web-3")
    assert [(item["namespace"], item["name"]) for item in everywhere["items"]] == [(namespace, "web-3")]


async def test_an_empty_list_says_where_it_looked(tools: ToolCaller, namespace: str) -> None:
    answer = await tools.ok("argo_rollouts_list", namespace=namespace)
    assert answer["items"] == []
    assert f"No rollouts in namespace {namespace}" in answer["hint"]


async def test_an_image_is_set_while_others_change_the_rollout(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """As controllers do at any moment: another write in between is met with another attempt, or told as a conflict."""
    path = rollouts_path(namespace)
    await make(api, path, rollout("web", canary({"setWeight": 20}), replicas=0))

    async def disturb() -> None:
        for number in range(10_000):
            body = {"metadata": {"annotations": {"disturbed": str(number)}}}
            await api.send("PATCH", f"{path}/web", (), body, content_type="application/merge-patch+json")

    disturbing = asyncio.create_task(disturb())
    codes = set()
    for number in range(20):
        arguments = {"rollout_name": "web", "namespace": namespace, "container_image": f"main=app:{number}"}
        result = await tools.client.call_tool(
            "argo_set_rollout_image", {**arguments, "dry_run": True}, raise_on_error=False
        )
        codes.add((result.meta or {})[ERROR_META]["code"] if result.is_error else "ok")
    disturbing.cancel()
    await asyncio.gather(disturbing, return_exceptions=True)
    assert codes <= {"ok", "conflict"}
    assert "ok" in codes


async def test_images_are_set_by_container_and_unknown_ones_are_listed(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    await make(api, rollouts_path(namespace), rollout("web", canary({"setWeight": 20}), replicas=0))
    unknown = await tools.fails(
        "argo_set_rollout_image", rollout_name="web", namespace=namespace, container_image="app=x:1"
    )
    assert (unknown["code"], unknown["hint"]) == ("bad_argument", "containers: main")
    shapeless = await tools.fails(
        "argo_set_rollout_image", rollout_name="web", namespace=namespace, container_image=f"{SLEEPER}:2"
    )
    assert shapeless["code"] == "bad_argument"
    assert "container=image" in shapeless["message"]
    assert "main" in shapeless["hint"]
    digest = f"main=registry.example.com:5000/app@sha256:{'0' * 64}"
    rehearsed = await tools.ok(
        "argo_set_rollout_image", rollout_name="web", namespace=namespace, container_image=digest, dry_run=True
    )
    assert rehearsed["images"][0]["to"] == digest.removeprefix("main=")
    kept = await api.get(rollouts_path(namespace, "web"))
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == f"{SLEEPER}:1"
    same = await tools.ok(
        "argo_set_rollout_image", rollout_name="web", namespace=namespace, container_image=f"*={SLEEPER}:1"
    )
    assert (same["changed"], same["images"]) == (False, [])


async def test_of_a_referenced_deployment_the_images_are_set_and_the_template_is_brought_back(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment("web"))
    referencing = rollout("web", canary({"setWeight": 20}), replicas=1)
    for field in ("template", "selector"):
        del referencing["spec"][field]
    referencing["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await make(api, rollouts_path(namespace), referencing)
    await _healthy(tools, namespace)
    about = {"rollout_name": "web", "namespace": namespace}
    change = await tools.ok("argo_set_rollout_image", **about, container_image=f"main={SLEEPER}:2")
    assert change["target"] == "workload_ref"
    assert await _image(api, namespace) == f"{SLEEPER}:2"
    await until(lambda: _revisions(tools, namespace), lambda count: count == 2, what="a second revision")
    undone = await tools.ok("argo_rollout_action", **about, action="undo")
    assert undone["result"] == "rolled back to revision 1"
    assert await _image(api, namespace) == f"{SLEEPER}:1"


async def test_images_of_another_referenced_kind_are_refused(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    referencing = rollout("web", canary({"setWeight": 20}), replicas=0)
    del referencing["spec"]["template"]
    referencing["spec"]["workloadRef"] = {"apiVersion": "v1", "kind": "PodTemplate", "name": "web"}
    await make(api, rollouts_path(namespace), referencing)
    error = await tools.fails(
        "argo_set_rollout_image", rollout_name="web", namespace=namespace, container_image="main=x:1"
    )
    assert error["code"] == "bad_argument"
    assert "PodTemplate" in error["message"]


async def test_an_ended_experiment_starts_anew(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, rollouts_path(namespace, plural="experiments"), experiment("trial", "2s"))

    async def phase() -> dict[str, Any]:
        answer = await tools.ok("argo_rollouts_list", namespace=namespace, type="experiments")
        return dict(answer["items"][0])

    ended = await until(phase, lambda found: found["status"] == "Successful", what="the experiment's end")
    assert ended["duration"] == "2s"
    again = await tools.ok("argo_rollout_action", rollout_name="trial", namespace=namespace, action="retry_experiment")
    assert (again["result"], again["patch"]) == ("retried", {"status": None})
    await until(phase, lambda found: found["status"] in ("Running", "Pending", "Successful"), what="a new run")


async def test_a_missing_rollout_is_explained(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, rollouts_path(namespace), rollout("checkout", canary({"setWeight": 20}), replicas=0))
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment("web"))
    near = await tools.fails("argo_promote_rollout", rollout_name="chekout", namespace=namespace)
    assert near["code"] == "not_found"
    assert "did you mean checkout?" in near["hint"]
    plain = await tools.fails("argo_get_rollout", rollout_name="web", namespace=namespace)
    assert "a Deployment has that name" in plain["hint"]
    nowhere = await tools.fails("argo_get_rollout", rollout_name="web", namespace=f"{namespace}x")
    assert "does not exist" in nowhere["message"]
    for name in ("--all", "a/b", ""):
        refused = await tools.fails("argo_pause_rollout", rollout_name=name, namespace=namespace)
        assert refused["code"] == "bad_argument"


def _deployment(name: str) -> dict[str, Any]:
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template(name)}
    return {"metadata": {"name": name}, "spec": spec}


async def _healthy(tools: ToolCaller, namespace: str) -> None:
    waited = await tools.ok(
        "argo_get_rollout", rollout_name="web", namespace=namespace, wait=True, timeout_seconds=whole(120)
    )
    assert waited["rollout"]["status"] == "Healthy"


async def _image(api: KubeApi, namespace: str) -> str:
    found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


async def _revisions(tools: ToolCaller, namespace: str) -> int:
    found = await tools.ok("argo_get_rollout", rollout_name="web", namespace=namespace)
    return len(found["replica_sets"])
