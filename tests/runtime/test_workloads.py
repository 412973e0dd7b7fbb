"""Whether a workload is ready and why its pods wait: objects as the API server shows them, findings in its words."""

import re
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.workloads import CONTAINER_REASONS, IMAGE_REASONS, UNSCHEDULED_REASONS, Wait

# Reasons in the kubelet's sources that no container ever waits with: they are about pods that end or change.
_OF_OTHER_THINGS = {
    "KillContainerError",
    "KillPodSandboxError",
    "RemoveContainerError",
    "ResizePodInPlaceError",
    "CreatePodSandboxError",
    "ConfigPodSandboxError",
}
_SOURCES = (
    "k8s.io/kubernetes@*/pkg/kubelet/images/types.go",
    "k8s.io/kubernetes@*/pkg/kubelet/container/sync_result.go",
    "k8s.io/kubernetes@*/pkg/kubelet/kuberuntime/kuberuntime_container.go",
    "k8s.io/cri-api@*/pkg/errors/errors.go",
)


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    status = {"observedGeneration": 1, **status}
    return {"kind": kind, "metadata": {"name": "web", "generation": generation}, "spec": spec, "status": status}


def pod(*statuses: dict[str, Any], name: str = "web-1", init: tuple[dict[str, Any], ...] = (), **more: Any) -> Any:
    names = [each["name"] for each in statuses]
    return {
        "metadata": {"name": name, **more.pop("metadata", {})},
        "spec": {"containers": [{"name": each, "image": f"{each}:1"} for each in names]},
        "status": {"containerStatuses": list(statuses), "initContainerStatuses": list(init), **more},
    }


def waiting(reason: str, message: str = "", name: str = "app", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {"name": name, "ready": False, "state": state, **more}


FULL = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
ON_NODES = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "message"),
    [
        ("Deployment", {"replicas": 2}, FULL, ""),
        ("Deployment", {"replicas": 0}, {}, ""),
        ("Deployment", {}, {}, "0 of 1 new replicas have been updated"),
        ("Deployment", {"replicas": 2}, {**FULL, "replicas": 3}, "1 old replicas are pending termination"),
        ("Deployment", {"replicas": 2}, {**FULL, "availableReplicas": 1}, "1 of 2 updated replicas are available"),
        ("Deployment", {"paused": True}, {}, "0 of 1 new replicas have been updated; it is paused"),
        ("StatefulSet", {"replicas": 2}, {**FULL, "updateRevision": "a", "currentRevision": "a"}, ""),
        ("StatefulSet", {"replicas": 2}, {**FULL, "readyReplicas": 0}, "2 pods are not ready"),
        ("StatefulSet", {"replicas": 2}, {**FULL, "updateRevision": "b"}, "2 of 2 pods are at the new revision"),
        (
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            {**FULL, "updatedReplicas": 0},
            "0 of 1 pods above the partition are updated",
        ),
        (
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            {**FULL, "updatedReplicas": 1},
            "1 of 2 pods are updated",
        ),
        (
            "StatefulSet",
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            {**FULL, "readyReplicas": 0},
            "2 pods are not ready",
        ),
        ("DaemonSet", {}, ON_NODES, ""),
        ("DaemonSet", {}, {}, ""),
        ("DaemonSet", {}, {**ON_NODES, "numberAvailable": 1}, "1 of 2 updated pods are available"),
        ("ReplicaSet", {"replicas": 2}, FULL, ""),
        ("ReplicaSet", {"replicas": 3}, FULL, "2 of 3 replicas are available"),
        ("Job", {"completions": 2}, {"succeeded": 2}, ""),
        ("Job", {}, {"failed": 3}, "0 of 1 completions, 3 failed"),
        ("Pod", {}, {"phase": "Succeeded"}, ""),
        ("Pod", {}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, ""),
        ("Pod", {}, {}, "Pending, not ready"),
        ("PersistentVolumeClaim", {}, {"phase": "Bound"}, ""),
        ("PersistentVolumeClaim", {}, {}, "Pending, not bound"),
    ],
)
def test_readiness(kind: str, spec: dict[str, Any], status: dict[str, Any], message: str) -> None:
    assert workloads.unready(workload(kind, spec, status)) == message


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_a_status_of_an_earlier_generation_counts_for_nothing(kind: str) -> None:
    found = workload(kind, {"replicas": 2}, {**FULL, **ON_NODES}, generation=2)
    assert workloads.unready(found) == "the controller has not yet seen the latest change"


def test_only_what_is_not_updated_waits_to_be_deleted() -> None:
    spec = {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}
    starting = workloads.progress(workload("StatefulSet", spec, {**FULL, "readyReplicas": 1}))
    assert (starting.hopeless, starting.stuck_reason) == (False, None)
    old = workloads.progress(workload("StatefulSet", spec, {**FULL, "updatedReplicas": 1}))
    assert (old.hopeless, old.stuck_reason) == (True, workloads.ON_DELETE)


def test_a_rollout_past_its_deadline_is_hopeless_and_says_who_refuses_its_pods() -> None:
    conditions = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
    ]
    seen = workloads.progress(workload("Deployment", {}, {"conditions": conditions}))
    assert (seen.done, seen.hopeless, seen.stuck_reason) == (False, True, "has timed out; exceeded quota")


@pytest.mark.parametrize("reason", sorted(IMAGE_REASONS | CONTAINER_REASONS))
def test_each_reason_is_found(reason: str) -> None:
    (found,) = workloads.waits([pod(waiting(reason, "the kubelet's words"))])
    assert found == Wait("web-1", reason, "the kubelet's words", "app", "app:1")
    assert found.about_image is (reason in IMAGE_REASONS)
    assert str(found) == f"{reason}: the kubelet's words"


@pytest.mark.parametrize("reason", sorted(UNSCHEDULED_REASONS))
def test_a_pod_without_a_node(reason: str) -> None:
    unplaced = {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/1 nodes are available"}
    assert [str(each) for each in workloads.waits([pod(conditions=[unplaced])])] == [
        f"{reason}: 0/1 nodes are available"
    ]


@pytest.mark.parametrize(
    "status",
    [
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        {"name": "app", "ready": False, "state": {"running": {}}},
        {"name": "app", "ready": False, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
        {"name": "app", "ready": True, "state": {"running": {}}, "lastState": {"terminated": {"reason": "Error"}}},
    ],
)
def test_an_ordinary_start_is_no_finding(status: dict[str, Any]) -> None:
    assert workloads.waits([pod(status)]) == []


def test_a_reason_of_another_kubelet_is_shown_too() -> None:
    assert [each.reason for each in workloads.waits([pod(waiting("FrobnicateError"))])] == ["FrobnicateError"]


def test_a_crash_loop_is_seen_between_two_attempts_too() -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 3, "message": "no such file"}}
    running = {"name": "app", "ready": False, "state": {"running": {}}, "lastState": ended, "restartCount": 2}
    backing_off = waiting("CrashLoopBackOff", "back-off 20s", lastState=ended, restartCount=2)
    (first,), (second,) = (workloads.waits([pod(status)]) for status in (running, backing_off))
    assert str(first) == "Error, exit code 3, 2 restarts"
    assert str(second) == "CrashLoopBackOff, exit code 3, 2 restarts: back-off 20s"
    assert second.ended is not None
    assert second.ended["message"] == "no such file"


def test_the_newest_pod_and_the_first_container_come_first() -> None:
    old, new, gone = (
        pod(
            waiting("ErrImagePull"),
            name=name,
            init=(waiting("RunContainerError", name="first"),),
            metadata={"creationTimestamp": created, **more},
        )
        for name, created, more in (
            ("old", "2026-01-01T00:00:00Z", {}),
            ("new", "2026-01-02T00:00:00Z", {}),
            ("gone", "2026-01-03T00:00:00Z", {"deletionTimestamp": "2026-01-03T00:00:01Z"}),
        )
    )
    found = [(each.pod, each.container) for each in workloads.waits([old, gone, new])]
    assert found == [("new", "first"), ("new", "app"), ("old", "first"), ("old", "app")]


def test_the_lists_hold_every_reason_of_the_kubelet() -> None:
    """Against its sources, which are in Go's module cache once the cluster of the tests has been built."""
    cache = Path.home() / "go" / "pkg" / "mod"
    texts = [path.read_text() for pattern in _SOURCES for path in cache.glob(pattern)]
    if len(texts) < len(_SOURCES):
        pytest.skip("the kubelet's sources are not on this machine: `make cluster` fetches them")
    named = {word for text in texts for word in re.findall(r'errors\.New\("([A-Z]\w+)"\)', text)}
    assert named - _OF_OTHER_THINGS == IMAGE_REASONS | CONTAINER_REASONS
