"""Rollouts: history and changes need the controllers alone; where a status must complete, pods run."""

from typing import Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import whole
from tests.waiting import until

KINDS = [("deployment", "Deployment"), ("statefulset", "StatefulSet"), ("daemonset", "DaemonSet")]
MERGE = "application/merge-patch+json"


def workload(kind: str, image: str, *command: str, replicas: int = 0) -> dict[str, Any]:
    """A workload named `w`; a DaemonSet without replicas selects no node."""
    container: dict[str, Any] = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    if command:
        container["command"] = list(command)
    pod: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "w"}}}
    if kind == "DaemonSet":
        pod |= {"tolerations": [{"operator": "Exists"}]} if replicas else {"nodeSelector": {"no": "where"}}
    else:
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = "w"
    spec["template"] = {"metadata": {"labels": {"app": "w"}}, "spec": pod}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"}, "spec": spec}


def path_of(kind: str, namespace: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s" + (f"/{name}" if name else "")


class Workload:
    """A workload of one kind and the calls about it."""

    def __init__(self, tools: ToolCaller, api: KubeApi, resource_type: str, kind: str, namespace: str) -> None:
        self.tools, self.api, self.kind = tools, api, kind
        self.path = path_of(kind, namespace, "w")
        self.about = {"resource_type": resource_type, "resource_name": "w", "namespace": namespace}

    async def create(self, image: str, *command: str, replicas: int = 0) -> None:
        body = workload(self.kind, image, *command, replicas=replicas)
        await self.api.send("POST", self.path.rpartition("/")[0], (), body)

    async def ok(self, action: str, **arguments: Any) -> dict[str, Any]:
        return await self.tools.ok("k8s_rollout", action=action, **self.about, **arguments)

    async def fails(self, action: str, **arguments: Any) -> dict[str, Any]:
        return await self.tools.fails("k8s_rollout", action=action, **self.about, **arguments)

    async def image(self) -> str:
        found = await self.api.get(self.path)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    async def set_image(self, image: str) -> None:
        operations = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        await self.api.send("PATCH", self.path, (), operations, "application/json-patch+json")

    async def revisions(self, *numbers: int) -> list[dict[str, Any]]:
        """The history once it has these revisions and the newest is current."""

        async def look() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await self.ok("history"))["items"]
            return items

        def there(items: list[dict[str, Any]]) -> bool:
            return [item["revision"] for item in items] == list(numbers) and bool(items[0].get("current"))

        return await until(look, there, what=f"revisions {numbers}")


@pytest.fixture(params=KINDS, ids=[resource_type for resource_type, _ in KINDS])
def any_workload(request: pytest.FixtureRequest, tools: ToolCaller, api: KubeApi, namespace: str) -> Workload:
    resource_type, kind = request.param
    return Workload(tools, api, resource_type, kind, namespace)


@pytest.fixture
def deployment(tools: ToolCaller, api: KubeApi, namespace: str) -> Workload:
    return Workload(tools, api, "deployment", "Deployment", namespace)


@pytest.mark.cluster
async def test_history_and_undo(any_workload: Workload) -> None:
    await any_workload.create("nowhere.invalid/app:1")
    items = await any_workload.revisions(1)
    assert items[0]["images"] == ["nowhere.invalid/app:1"]
    assert items[0]["created"].startswith("20")
    failed = await any_workload.fails("undo")
    assert failed["code"] == "not_found"
    assert "no earlier revision" in failed["message"]

    await any_workload.set_image("nowhere.invalid/app:2")
    items = await any_workload.revisions(2, 1)
    assert [item["images"] for item in items] == [["nowhere.invalid/app:2"], ["nowhere.invalid/app:1"]]
    assert [item.get("current") for item in items] == [True, None]

    rehearsed = await any_workload.ok("undo", dry_run=True)
    assert rehearsed["result"] == "rolled back to revision 1"
    assert "app:2" in rehearsed["diff"]
    assert await any_workload.image() == "nowhere.invalid/app:2"

    done = await any_workload.ok("undo")
    assert done["changed"] is True
    assert "app:1" in done["diff"]
    assert "pod-template-hash" not in done["diff"]
    assert await any_workload.image() == "nowhere.invalid/app:1"
    await any_workload.revisions(3, 2)

    failed = await any_workload.fails("undo", to_revision=99)
    assert failed["code"] == "not_found"
    assert "3, 2" in failed["hint"]
    await any_workload.ok("undo", to_revision=2)
    assert await any_workload.image() == "nowhere.invalid/app:2"
    await any_workload.revisions(4, 3)
    again = await any_workload.ok("undo", to_revision=4)
    assert (again["result"], again["changed"]) == ("unchanged", False)


@pytest.mark.cluster
async def test_restart(any_workload: Workload) -> None:
    await any_workload.create("nowhere.invalid/app:1")
    rehearsed = await any_workload.ok("restart", dry_run=True, wait=True)
    assert "restartedAt" in rehearsed["diff"]
    assert rehearsed["dry_run"] is True
    assert "annotations" not in (await any_workload.api.get(any_workload.path))["spec"]["template"]["metadata"]
    done = await any_workload.ok("restart")
    assert (done["result"], done["changed"]) == ("restarted", True)
    await any_workload.revisions(2, 1)


@pytest.mark.cluster
async def test_pause_and_resume(deployment: Workload) -> None:
    await deployment.create("nowhere.invalid/app:1")
    await deployment.revisions(1)
    rehearsed = await deployment.ok("pause", dry_run=True)
    assert "+  paused: true" in rehearsed["diff"]
    assert (await deployment.ok("pause"))["result"] == "paused"
    assert (await deployment.api.get(deployment.path))["spec"]["paused"] is True
    again = await deployment.ok("pause")
    assert (again["result"], again["changed"]) == ("unchanged", False)
    for action in ("undo", "restart"):
        failed = await deployment.fails(action)
        assert failed["code"] == "conflict"
        assert "paused" in failed["message"]
        assert "resume" in failed["hint"]
    assert (await deployment.ok("resume"))["result"] == "resumed"
    assert "paused" not in (await deployment.api.get(deployment.path))["spec"]
    assert (await deployment.ok("resume"))["changed"] is False


@pytest.mark.cluster
@pytest.mark.parametrize(("resource_type", "kind"), KINDS[1:])
async def test_only_deployments_pause(
    tools: ToolCaller, api: KubeApi, namespace: str, resource_type: str, kind: str
) -> None:
    found = Workload(tools, api, resource_type, kind, namespace)
    await found.create("nowhere.invalid/app:1")
    failed = await found.fails("pause")
    assert failed["code"] == "bad_argument"
    assert kind in failed["message"]


@pytest.mark.cluster
async def test_change_cause_comes_back(deployment: Workload) -> None:
    cause = {"metadata": {"annotations": {"kubernetes.io/change-cause": "first"}}}
    await deployment.create("nowhere.invalid/app:1")
    await deployment.api.send("PATCH", deployment.path, (), cause, MERGE)
    await until(lambda: deployment.ok("history"), lambda told: told["items"][0].get("change_cause") == "first")
    second = workload("Deployment", "nowhere.invalid/app:2")
    second["metadata"]["annotations"] = {"kubernetes.io/change-cause": "second"}
    await deployment.api.send("PATCH", deployment.path, (), second, MERGE)
    await deployment.revisions(2, 1)
    await deployment.ok("undo")
    items = await deployment.revisions(3, 2)
    assert items[0]["change_cause"] == "first"


@pytest.mark.cluster
async def test_status_without_pods(any_workload: Workload) -> None:
    await any_workload.create("nowhere.invalid/app:1")
    told = await until(lambda: any_workload.ok("status"), lambda told: bool(told["done"]))
    assert told["message"] == "successfully rolled out"
    assert (told["desired"], told["updated"], told["ready"], told["available"]) == (0, 0, 0, 0)
    assert "stuck_reason" not in told


@pytest.mark.cluster
async def test_bad_arguments(deployment: Workload, tools: ToolCaller) -> None:
    await deployment.create("nowhere.invalid/app:1")
    assert (await deployment.fails("stop"))["code"] == "bad_argument"
    assert (await deployment.fails("undo", to_revision=-1))["code"] == "bad_argument"
    assert (await deployment.fails("status", timeout_seconds=0))["code"] == "bad_argument"
    about = {**deployment.about, "resource_type": "job"}
    assert (await tools.fails("k8s_rollout", action="status", **about))["code"] == "bad_argument"
    about = {**deployment.about, "resource_name": "ww"}
    failed = await tools.fails("k8s_rollout", action="status", **about)
    assert failed["code"] == "not_found"
    assert "w" in failed["hint"]
    for spelling in ("deploy", "deployments", "Deployment", "deployments.apps"):
        assert (await tools.ok("k8s_rollout", action="history", **{**deployment.about, "resource_type": spelling}))[
            "items"
        ]


@pytest.mark.cluster
async def test_read_only_keeps_history_and_status(
    settings: KubernetesSettings, deployment: Workload, namespace: str
) -> None:
    await deployment.create("nowhere.invalid/app:1")
    await deployment.revisions(1)
    async with Client(assemble(SERVER, settings, patient(read_only=True))) as client:
        reading = ToolCaller(client)
        assert (await reading.ok("k8s_rollout", action="history", **deployment.about))["returned"] == 1
        assert (await reading.fails("k8s_rollout", action="restart", **deployment.about))["code"] == "denied"
        tool = next(tool for tool in await client.list_tools() if tool.name == "k8s_rollout")
        assert tool.input_schema["properties"]["action"]["enum"] == ["history", "status"]


@pytest.mark.pods
async def test_waits_until_it_is_rolled_out(any_workload: Workload, cluster: Cluster) -> None:
    await any_workload.create(cluster.image, "sleep", "600", replicas=1)
    told = await any_workload.ok("status", wait=True, timeout_seconds=whole(60))
    assert told["done"] is True
    assert (told["desired"], told["updated"], told["ready"], told["available"]) == (1, 1, 1, 1)
    done = await any_workload.ok("restart", wait=True, timeout_seconds=whole(60))
    assert (done["result"], done["done"]) == ("restarted", True)
    assert "timed_out" not in done


@pytest.mark.pods
async def test_a_stuck_rollout_says_why(deployment: Workload, cluster: Cluster) -> None:
    await deployment.create("localhost/absent:1", replicas=1)
    told = await deployment.ok("status", wait=True, timeout_seconds=3)
    assert (told["done"], told["timed_out"]) == (False, True)
    told = await until(lambda: deployment.ok("status"), lambda told: "stuck_reason" in told)
    assert "Image" in told["stuck_reason"]
    assert "timed_out" not in told
    deadline = {"spec": {"progressDeadlineSeconds": 1}}
    await deployment.api.send("PATCH", deployment.path, (), deadline, MERGE)
    told = await until(lambda: deployment.ok("status"), lambda told: "deadline" in told["message"])
    assert told["done"] is False
    waited = await deployment.ok("status", wait=True, timeout_seconds=whole(60))
    assert "timed_out" not in waited
    assert "progress" in waited["stuck_reason"]
