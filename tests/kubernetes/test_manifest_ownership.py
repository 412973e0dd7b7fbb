"""Who owns the fields of an object, and what an apply does to them (Y6 to Y9)."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime import yaml_text
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.slowness import scaled

pytestmark = pytest.mark.cluster


def deployment(name: str, image: str = "nowhere.invalid/app:1", **env: str) -> dict[str, Any]:
    container = {"name": "main", "image": image, "env": [{"name": key, "value": value} for key, value in env.items()]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def by_kubectl(kubectl: Path, cluster: Cluster, namespace: str, manifest: dict[str, Any], *flags: str) -> str:
    process = await asyncio.create_subprocess_exec(
        kubectl, f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}", "apply", *flags, "--filename=-",
        env={**os.environ, **cluster.proxy_bypass()}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(yaml_text.write(manifest).encode()), scaled(60))
    assert process.returncode == 0, output.decode()
    return output.decode()


async def env_of(api: KubeApi, namespace: str, name: str) -> dict[str, str]:
    found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    container = found["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value", "") for each in container.get("env", ())}


async def applied(tools: ToolCaller, namespace: str, manifest: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    text = yaml_text.write(manifest)
    answer = await tools.ok("k8s_apply_manifest", manifest=text, namespace=namespace, **arguments)
    return {**answer["items"][0], "warnings": answer.get("warnings") or []}


@pytest.mark.parametrize("namespace_of", ["elsewhere", "kube-system"])
async def test_y6_a_contradicting_namespace_is_refused(
    tools: ToolCaller, api: KubeApi, namespace: str, namespace_of: str
) -> None:
    one, two = config_map("one", a="1"), config_map("two", a="1")
    two["metadata"]["namespace"] = namespace_of
    for tool, argument in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
        refused = await tools.fails(tool, **{argument: yaml_text.write_all([one, two])}, namespace=namespace)
        assert refused["code"] == "bad_argument"
        assert namespace_of in refused["message"]
        assert namespace in refused["message"]
    names = [
        item["metadata"]["name"] for item in (await api.get(f"/api/v1/namespaces/{namespace}/configmaps"))["items"]
    ]
    assert "one" not in names


async def test_y6_a_cluster_scoped_object_has_no_namespace_to_contradict(tools: ToolCaller, namespace: str) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    manifest = {**role, "metadata": {"name": f"y6-{namespace}", "namespace": "any"}}
    assert (await applied(tools, namespace, manifest, dry_run=True))["result"] == "created"


@pytest.mark.parametrize("dry_run", [True, False])
async def test_y7_no_conflict_with_oneself(tools: ToolCaller, namespace: str, dry_run: bool) -> None:
    here = {"namespace": namespace}
    first = config_map("mine", a="1", b="1")
    await tools.ok("k8s_create_resource", yaml_content=yaml_text.write(first), **here)
    assert (await applied(tools, namespace, config_map("mine", a="2", b="1"), dry_run=dry_run))[
        "result"
    ] == "configured"
    of_it = {"resource_type": "configmap", "resource_name": "mine", **here}
    await tools.ok("k8s_patch_resource", patch={"data": {"b": "patched"}}, **of_it)
    await tools.ok("k8s_label_resource", labels={"team": "a"}, overwrite=True, **of_it)
    wanted = config_map("mine", a="3", b="applied")
    wanted["metadata"]["labels"] = {"team": "b"}
    done = await applied(tools, namespace, wanted, dry_run=dry_run)
    assert done["result"] == "configured"
    assert "+  b: applied" in done["diff"]
    assert "+    team: b" in done["diff"]


async def test_y7_a_conflict_with_others_is_still_one(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps?fieldManager=other", config_map("shared", a="1", b="1"))
    of_it = {"resource_type": "configmap", "resource_name": "shared", "namespace": namespace}
    await tools.ok("k8s_patch_resource", patch={"data": {"b": "2"}}, **of_it)
    manifest = yaml_text.write(config_map("shared", a="3", b="3"))
    refused = await tools.fails("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert refused["code"] == "conflict"


async def test_y8_what_kubectl_applied_is_taken_over(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, kubectl: Path, namespace: str
) -> None:
    for name in ("ours", "theirs"):
        await by_kubectl(kubectl, cluster, namespace, deployment(name, OLD_FLAG="1", KEPT="1"))
    await by_kubectl(kubectl, cluster, namespace, deployment("theirs", KEPT="1"), "--server-side", "--force-conflicts")
    assert await env_of(api, namespace, "theirs") == {"KEPT": "1"}

    rehearsed = await applied(tools, namespace, deployment("ours", KEPT="1"), force=True, dry_run=True)
    assert "OLD_FLAG" in rehearsed["diff"]
    assert await env_of(api, namespace, "ours") == {"OLD_FLAG": "1", "KEPT": "1"}
    done = await applied(tools, namespace, deployment("ours", KEPT="1"), force=True)
    assert await env_of(api, namespace, "ours") == {"KEPT": "1"}
    assert (done["result"], done["diff"]) == ("configured", rehearsed["diff"])
    assert "OLD_FLAG" in done["warnings"][0]
    assert (await applied(tools, namespace, deployment("ours", KEPT="1")))["result"] == "unchanged"


async def test_y8_without_force_where_nothing_is_in_conflict(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, kubectl: Path, namespace: str
) -> None:
    await by_kubectl(kubectl, cluster, namespace, deployment("web", OLD_FLAG="1"))
    assert "OLD_FLAG" in (await applied(tools, namespace, deployment("web")))["diff"]
    assert await env_of(api, namespace, "web") == {}


async def test_y8_what_others_own_stays(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, kubectl: Path, namespace: str
) -> None:
    await by_kubectl(kubectl, cluster, namespace, deployment("web", KEPT="1"))
    await tools.ok("k8s_scale", resource_type="deployment", name="web", replicas=0, namespace=namespace)
    added = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "X", "value": "1"}]}]}}}}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    merge = "application/strategic-merge-patch+json"
    await api.send("PATCH", path, [("fieldManager", "injector")], added, merge)
    await applied(tools, namespace, deployment("web", KEPT="2"), force=True)
    assert await env_of(api, namespace, "web") == {"KEPT": "2", "X": "1"}


async def test_y9_the_change_is_in_the_diff_beside_a_long_line(tools: ToolCaller, namespace: str) -> None:
    long = "x" * 300_000
    await applied(tools, namespace, config_map("big", a=long, b="before", c=long))
    shown = await applied(tools, namespace, config_map("big", a=long, b="after", c=long), dry_run=True)
    assert "-  b: before" in shown["diff"]
    assert "+  b: after" in shown["diff"]
    assert len(shown["diff"]) < 3000


async def test_y9_a_change_inside_a_long_line(tools: ToolCaller, namespace: str) -> None:
    await applied(tools, namespace, config_map("big", a="x" * 200_000 + "before" + "y" * 200_000))
    changed = config_map("big", a="x" * 200_000 + "after" + "y" * 200_000)
    diff = (await applied(tools, namespace, changed, dry_run=True))["diff"]
    assert "before" in diff
    assert "after" in diff.split("before")[-1]
    assert len(diff) < 3000
