"""Logs that are not there: why, and what to ask instead (G5)."""

import asyncio
import subprocess
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_kubernetes.reading.pod_logs import kubelet_words
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pod_when, pods_path
from tests.mcp import ToolCaller
from tests.waiting import until

KUBELET = (
    "unable to retrieve container logs for containerd://0123456789abcdef",
    'failed to try resolving symlinks in path "/var/log/pods/x/main/0.log": lstat /var/log/pods/x: no such file',
    'failed to open log file "/var/log/pods/x/main/0.log": open /var/log/pods/x: permission denied',
    'failed to tail 51 lines of log file "/var/log/pods/x/main/0.log": read: input/output error',
    'failed to read log file "/var/log/pods/x/main/0.log": input/output error',
    "failed to create fsnotify watcher: too many open files",
)
STAMPS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
    lambda time: time.isoformat(timespec="microseconds") + "000Z "
)
WRITTEN = st.one_of(st.sampled_from(KUBELET), st.text(st.characters(exclude_characters="\n"), max_size=40))


@given(st.lists(st.tuples(STAMPS, WRITTEN)), st.booleans())
def test_what_a_container_writes_is_never_the_kubelets(lines: list[tuple[str, str]], ends: bool) -> None:
    text = "\n".join(stamp + line for stamp, line in lines) + ("\n" if ends else "")
    assert kubelet_words(text.split("\n")) is None


@given(st.lists(st.tuples(STAMPS, WRITTEN)), st.sampled_from(KUBELET))
def test_what_the_kubelet_adds_is_told_apart(lines: list[tuple[str, str]], words: str) -> None:
    text = "".join(f"{stamp}{line}\n" for stamp, line in lines) + words
    assert kubelet_words(text.split("\n")) == words


def test_without_times_only_what_kubelets_say_is_theirs() -> None:
    assert kubelet_words(["plain line", "another"]) is None
    assert kubelet_words(["plain line", KUBELET[0]]) == KUBELET[0]
    assert kubelet_words([*KUBELET, ""]) is None


@pytest.mark.cluster
async def test_a_pod_without_a_node_says_why(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("picky", "none", nodeSelector={"nobody": "has"}))
    await make(api, pods_path(namespace), pod("lone", "none", schedulerName="nobody"))
    refused = "PodScheduled"

    def is_refused(found: dict[str, Any]) -> bool:
        return any(each["type"] == refused for each in found["status"].get("conditions") or ())

    await pod_when(api, namespace, "picky", is_refused, "the scheduler's word")
    picky = await tools.ok("k8s_get_pod_logs", pod_name="pod/picky", namespace=namespace)
    assert picky["lines"] == []
    assert 'main has not started: the pod has no node: Unschedulable: "0/' in picky["hint"]
    lone = await tools.ok("k8s_get_pod_logs", pod_name="lone", namespace=namespace)
    assert "the scheduler nobody has said nothing" in lone["hint"]


def _workload(name: str, **spec: Any) -> dict[str, Any]:
    body = pod(name, "none", schedulerName="none")
    template = {"metadata": body["metadata"], "spec": body["spec"]}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec, "template": template},
    }


@pytest.mark.cluster
async def test_the_name_of_a_workload_gives_its_pods(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    await make(api, f"{apps}/deployments", _workload("shop", replicas=2))
    await make(api, f"{apps}/statefulsets", _workload("store", serviceName="store"))
    # Near in its letters, but none of its pods.
    await make(api, pods_path(namespace), pod("shop-other", "none", schedulerName="none"))

    async def names() -> list[str]:
        return sorted(each["metadata"]["name"] for each in (await api.get(pods_path(namespace)))["items"])

    await until(names, lambda found: len(found) == 4, what="the pods")
    mine = [name for name in await names() if name.startswith("shop-") and name != "shop-other"]
    for call in ({"tool": "k8s_get_pod_logs"}, {"tool": "k8s_execute_command", "command": ["true"]}):
        tool = str(call.pop("tool"))
        refused = await tools.fails(tool, pod_name="shop", namespace=namespace, **call)
        assert refused["code"] == "not_found"
        assert "shop is a workload with the pods" in refused["hint"]
        assert all(name in refused["hint"] for name in mine)
        assert "shop-other" not in refused["hint"]
    single = await tools.fails("k8s_get_pod_logs", pod_name="store", namespace=namespace)
    assert "store is a workload with the pod store-0" in single["hint"]
    slash = await tools.fails("k8s_get_pod_logs", pod_name="deploy/shop", namespace=namespace)
    assert slash["code"] == "bad_argument"
    assert "its name alone" in slash["message"]


@pytest.mark.pods
async def test_a_failing_init_container_is_named(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    body = pod("web", cluster.image, "sleep", "3600")
    main = body["spec"]["containers"][0]
    good = {**main, "name": "good", "command": ["true"]}
    bad = {**main, "name": "bad", "command": ["sh", "-c", "echo no database; exit 3"]}
    body["spec"]["initContainers"] = [good, bad, {**good, "name": "later"}]
    await make(api, pods_path(namespace), body)

    def failed(found: dict[str, Any]) -> bool:
        statuses = found["status"].get("initContainerStatuses") or ()
        return any(each["name"] == "bad" and "terminated" in (each.get("lastState") or {}) for each in statuses)

    await pod_when(api, namespace, "web", failed, "the end of the init container")
    where = {"pod_name": "web", "namespace": namespace}
    found = await tools.ok("k8s_get_pod_logs", **where)
    assert found["lines"] == []
    assert "main waits for init container bad" in found["hint"]
    assert "exit code 3" in found["hint"]
    assert "container=bad" in found["hint"]
    later = await tools.ok("k8s_get_pod_logs", **where, container="later")
    assert "later waits for init container bad" in later["hint"]

    async def lines() -> list[str]:
        return list((await tools.ok("k8s_get_pod_logs", **where, container="bad"))["lines"])

    await until(lines, lambda seen: seen == ["no database"], what="the log of the init container")


@pytest.mark.pods
async def test_a_log_that_is_gone_is_no_line(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    if not cluster.node:
        pytest.skip("the files of this cluster's node cannot be reached")
    script = "if [ -e /d/ran ]; then echo again; sleep 3600; fi; touch /d/ran; echo boom; exit 3"
    body = pod("crash", cluster.image, "sh", "-c", script, volumes=[{"name": "d", "emptyDir": {}}])
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "d", "mountPath": "/d"}]
    made = await make(api, pods_path(namespace), body)

    def ran_twice(found: dict[str, Any]) -> bool:
        statuses = found["status"].get("containerStatuses") or [{}]
        return bool(statuses[0].get("restartCount") and statuses[0].get("ready"))

    await pod_when(api, namespace, "crash", ran_twice, "a restart")
    where = {"pod_name": "crash", "namespace": namespace}
    folder = f"/var/log/pods/{namespace}_crash_{made['metadata']['uid']}/main"
    remove = [*cluster.node, "rm", "-f", f"{folder}/0.log", f"{folder}/1.log"]
    await asyncio.to_thread(subprocess.run, remove, check=True)
    before = await tools.ok("k8s_get_pod_logs", **where, previous=True)
    assert before["lines"] == []
    assert "the log of the previous run of main is gone from the node" in before["hint"]
    assert "exit code 3" in before["hint"]
    now = await tools.ok("k8s_get_pod_logs", **where, all_containers=True)
    assert now["lines"] == []
