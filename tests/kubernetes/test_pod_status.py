"""G3: a pod of a description is what `kubectl get pods` shows, judged by the API server's own table of these pods."""

import asyncio
from random import Random
from typing import Any

import pytest

from kmcp_runtime.kube import pages
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.pod_status import pod_status
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, make_many, pods_path
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster
MERGE = "application/merge-patch+json"
STAMP = "2026-01-01T00:00:00Z"
COUNT = 120
STATES: list[dict[str, Any]] = [
    {"running": {"startedAt": STAMP}},
    {"waiting": {"reason": "ContainerCreating"}},
    {"waiting": {"reason": "PodInitializing"}},
    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
    {"waiting": {}},
    {"terminated": {"exitCode": 0, "reason": "Completed"}},
    {"terminated": {"exitCode": 0}},
    {"terminated": {"exitCode": 1, "reason": "Error"}},
    {"terminated": {"exitCode": 3}},
    {"terminated": {"exitCode": 137, "signal": 9}},
    {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    {},
]
CONDITIONS = ("PodScheduled", "Initialized", "Ready")


def _body(random: Random, name: str) -> dict[str, Any]:
    def container(each: str) -> dict[str, Any]:
        return {"name": each, "image": "none"}

    inits = [
        {**container(f"i{number}"), **({"restartPolicy": "Always"} if random.random() < 0.4 else {})}
        for number in range(random.randrange(3))
    ]
    body = pod(name, "none", schedulerName="none", restartPolicy="Always")
    body["spec"] |= {"containers": [container(f"c{n}") for n in range(random.randint(1, 3))], "initContainers": inits}
    if random.random() < 0.25:
        body["metadata"]["finalizers"] = ["example.org/held"]
    return body


def _status(random: Random, body: dict[str, Any]) -> dict[str, Any]:
    usual, calm = [STATES[0], STATES[5]], random.random() < 0.3

    def of(declared: dict[str, Any]) -> dict[str, Any]:
        state = random.choice(usual if calm else STATES)
        last = {"terminated": {"exitCode": 1, "finishedAt": STAMP}} if random.random() < 0.3 else {}
        return {
            "name": declared["name"],
            "image": "none",
            "imageID": "",
            "ready": random.random() < 0.6,
            "started": random.choice([True, False, None]),
            "restartCount": random.choice([0, 0, 1, 7]),
            "state": state,
            "lastState": last,
        }

    spec = body["spec"]
    conditions = [
        {"type": each, "status": random.choice(["True", "False", "Unknown"])}
        for each in CONDITIONS
        if random.random() < 0.7
    ]
    if random.random() < 0.1:
        gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"}
        conditions = [gated, *(each for each in conditions if each["type"] != "PodScheduled")]
    status = {
        "phase": random.choice(["Pending", "Running", "Running", "Succeeded", "Failed", "Unknown"]),
        "conditions": conditions,
        "initContainerStatuses": [of(each) for each in spec["initContainers"]][: random.randrange(4)],
        "containerStatuses": [of(each) for each in spec["containers"]],
    }
    if random.random() < 0.15:
        status["reason"] = random.choice(["Evicted", "NodeLost"])
    return status


@pytest.fixture
async def strange(api: KubeApi, namespace: str) -> Any:
    """Pods of every state, some on their way out; they hold their namespace until their finalizers are gone."""
    random = Random(20260101)
    bodies = [_body(random, f"p{number:03}") for number in range(COUNT)]
    await make_many(api, pods_path(namespace), bodies)

    async def put(body: dict[str, Any]) -> None:
        path = pods_path(namespace, body["metadata"]["name"])
        await api.send("PATCH", f"{path}/status", (), {"status": _status(random, body)}, MERGE)
        if body["metadata"].get("finalizers"):
            await api.send("DELETE", path)

    await asyncio.gather(*(put(body) for body in bodies))
    yield namespace
    held = [body["metadata"]["name"] for body in bodies if body["metadata"].get("finalizers")]
    free = {"metadata": {"finalizers": None}}
    await asyncio.gather(*(api.send("PATCH", pods_path(namespace, name), (), free, MERGE) for name in held))


async def test_every_status_is_that_of_kubectl(api: KubeApi, strange: str) -> None:
    # The table and its objects in one answer: the garbage collector goes on changing these pods.
    table = await api.get(pods_path(strange), [("includeObject", "Object")], pages.FORMS["table"])
    theirs, ours = {}, {}
    for row in table["rows"]:
        name, ready, word, count = row["cells"][:4]
        theirs[name] = (ready, word, str(count).partition(" ")[0])
        seen = pod_status(row["object"])
        ours[name] = (f"{seen.ready}/{seen.containers}", seen.word, str(seen.restarts))
    assert [column["name"] for column in table["columnDefinitions"][:4]] == ["Name", "Ready", "Status", "Restarts"]
    assert ours == theirs
    assert len({word for _, word, _ in theirs.values()}) > 20, "too few kinds of states to judge by"
    assert {"Terminating", "Unknown", "SchedulingGated", "NotReady"} <= {word for _, word, _ in theirs.values()}


async def _lines(tools: ToolCaller, namespace: str) -> list[str]:
    found = await tools.ok("k8s_describe_resource", resource_type="svc", resource_name="s", namespace=namespace)
    return [each["state"] for each in found["related"]]


async def test_each_state_comes_with_its_reason(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """One pod after another status, described as the pod of a Service."""
    service = {"ports": [{"port": 80}], "selector": {"app": "x"}}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "s"}, "spec": service})
    body = pod("x", "none", schedulerName="none")
    body["spec"]["initContainers"] = [{"name": "first", "image": "none"}]
    made = await make(api, pods_path(namespace), body)
    common = {"image": "none", "imageID": "", "ready": False, "restartCount": 0}
    waits = {**common, "name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}
    crash = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    failed = {"terminated": {"exitCode": 2, "reason": "Error", "message": "no database"}}
    done = {**common, "name": "first", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    creating = {**common, "name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    lines = []
    for status in (
        {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are good"}
            ]
        },
        {
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "initContainerStatuses": [{**common, "name": "first", "state": crash, "lastState": failed}],
            "containerStatuses": [waits],
        },
        {
            "initContainerStatuses": [{**common, "name": "first", "state": {"running": {}}}],
            "containerStatuses": [waits],
        },
        {"initContainerStatuses": [done], "containerStatuses": [creating]},
    ):
        await api.send("PATCH", f"{pods_path(namespace, 'x')}/status", (), {"status": status}, MERGE)
        lines += await _lines(tools, namespace)
    assert lines[0] == "Pending, 0/1 ready, Unschedulable: 0/1 nodes are good"
    assert lines[1].startswith("Init:CrashLoopBackOff, 0/1 ready, waiting: CrashLoopBackOff: back-off 10s; last run")
    assert "no database" in lines[1]
    assert lines[2:] == ["Init:0/1, 0/1 ready", "ContainerCreating, 0/1 ready"]
    event = {
        "metadata": {"generateName": "x."},
        "involvedObject": {"kind": "Pod", "name": "x", "namespace": namespace, "uid": made["metadata"]["uid"]},
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'secret "keys" not found',
        "lastTimestamp": STAMP,
    }
    await make(api, f"/api/v1/namespaces/{namespace}/events", event)
    found = await until(lambda: _lines(tools, namespace), lambda seen: "keys" in seen[0], 20, "the event")
    assert found == ['ContainerCreating, 0/1 ready, FailedMount: secret "keys" not found']
    held = {"metadata": {"finalizers": ["example.org/held"]}}
    await api.send("PATCH", pods_path(namespace, "x"), (), held, MERGE)
    await api.send("DELETE", pods_path(namespace, "x"))
    (last,) = await _lines(tools, namespace)
    assert last.startswith("Terminating, 0/1 ready, since ")
    assert last.endswith("waits for finalizers example.org/held")
    await api.send("PATCH", pods_path(namespace, "x"), (), {"metadata": {"finalizers": None}}, MERGE)
