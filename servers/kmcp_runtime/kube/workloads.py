"""Whether a workload is ready, and why its pods wait: the one place that knows, for servers and controller alike.

Pure: objects of the API in, findings out. Asking the API server is the caller's part. Sentences follow
`kubectl rollout status`; reasons are those of the kubelet and the scheduler, word for word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

STARTING_REASONS = frozenset({"ContainerCreating", "PodInitializing"})
"""A container waits for these in every start: nothing is wrong yet."""
IMAGE_REASONS = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""The image cannot be had (kubelet: `images/types.go`, CRI: `errors.go`)."""
CONTAINER_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ImageVolumeMountFailed",
        "PostStartHookError",
        "PreCreateHookError",
        "PreStartHookError",
        "RROUnsupported",
        "RunContainerError",
    }
)
"""The image is there, the container does not start or stay up (kubelet: `kuberuntime_container.go`)."""
UNSCHEDULED_REASONS = frozenset({"SchedulerError", "SchedulingGated", "Unschedulable"})
"""No node has been found (API: `PodReason…` of the condition PodScheduled)."""
NEVER_STARTED_REASONS = frozenset({"ContainerCannotRun", "StartError"})
"""A container has `terminated` with these although its program never ran (runtimes: containerd, Docker)."""
_PLAIN_ENDS = ("", "Error", "Completed")
_UNREMARKABLE = STARTING_REASONS | {"", "Completed"}
ON_DELETE = "its update strategy is OnDelete: a pod is updated when it is deleted"
_NOT_SEEN = "the controller has not yet seen the latest change"


@dataclass(frozen=True)
class Counts:
    """Pods of a workload."""

    desired: int
    updated: int
    ready: int
    available: int


@dataclass(frozen=True)
class Progress:
    """How far a rollout is. `stuck_reason` is set when it will not go on by itself."""

    done: bool
    message: str
    counts: Counts
    stuck_reason: str | None = None
    hopeless: bool = False
    """True when waiting longer is no use."""


@dataclass(frozen=True)
class Wait:
    """Why a pod, or one container of it, does not run. `reason` may be one that no list here has: kubelets differ."""

    pod: str
    reason: str
    message: str = ""
    """As the kubelet or the scheduler says it; changes from one attempt to the next for a crash loop."""
    container: str = ""
    """Empty when the whole pod waits."""
    image: str = ""
    restarts: int = 0
    ended: Object | None = None
    """How its last run ended: `exitCode`, `reason`, and in `message` the program's own words (untrusted text)."""

    @property
    def about_image(self) -> bool:
        return self.reason in IMAGE_REASONS

    @property
    def summary(self) -> str:
        """`CrashLoopBackOff, exit code 1, 3 restarts`: stays the same while the kubelet's message counts seconds."""
        if self.ended is None:
            return self.reason
        # The reason of the end is worth a word when it is more than "it ended": OOMKilled, StartError.
        why = str(self.ended.get("reason") or "")
        words = [self.reason] if why in (*_PLAIN_ENDS, self.reason) else [self.reason, why]
        return f"{', '.join(words)}, exit code {self.ended.get('exitCode')}, {self.restarts} restarts"

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.summary, self.message]))


def progress(workload: Object) -> Progress:
    """How far a Deployment, StatefulSet, DaemonSet or ReplicaSet is, as its controller says."""
    status = workload.get("status") or {}
    counts_of, judge = _KINDS[str(workload.get("kind"))]
    counts = counts_of(workload)
    if not is_observed(workload):
        return Progress(False, _NOT_SEEN, counts)
    return judge(workload.get("spec") or {}, status, counts)


def pod_progress(pod: Object) -> Progress:
    """How far the start of a single pod is; one that has failed does not become ready any more."""
    lacks = _unready_pod(pod)
    ready = int(not lacks)
    status = pod.get("status") or {}
    failed = status.get("phase") == "Failed"
    why = ": ".join(filter(None, [str(status.get("reason") or ""), str(status.get("message") or "")]))
    counts = Counts(desired=1, updated=1, ready=ready, available=ready)
    return Progress(not lacks, lacks or "ready", counts, why or None if lacks else None, hopeless=failed)


def is_observed(workload: Object) -> bool:
    """Whether the status is about the present spec: a controller writes down which generation it has seen."""
    generation = (workload.get("metadata") or {}).get("generation") or 0
    return generation <= ((workload.get("status") or {}).get("observedGeneration") or 0)


def unready(found: Object) -> str:
    """What an object still lacks, for the kinds in `READINESS_KINDS`; empty when it is ready."""
    kind = str(found.get("kind"))
    if kind in _KINDS:
        seen = progress(found)
        return "" if seen.done else seen.message
    return READINESS_KINDS[kind](found)


def condition(found: Object, type_: str) -> Object:
    """A condition of an object's status; empty when there is none of that type."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == type_), {})


def refusal(workload: Object) -> str:
    """Why the API server refuses to make the workload's pods (quota, admission); empty when it does not."""
    failure = condition(workload, "ReplicaFailure")
    return str(failure.get("message") or failure.get("reason") or "") if failure.get("status") == "True" else ""


def waits(pods: Iterable[Object]) -> list[Wait]:
    """Why pods wait, the newest pod first; pods on their way out are left out."""
    return [wait for pod in newest(pods) for wait in waits_of(pod)]


def newest(pods: Iterable[Object]) -> list[Object]:
    """The pods that are not being deleted, the newest first: an older one may be of a template that is past."""
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return sorted(alive, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True)


def pods_named_after(workload: str, pods: Iterable[Object], most: int = 5) -> list[str]:
    """The names of pods whose workload has that name; the newest first. Their metadata is enough."""
    return [str(pod["metadata"]["name"]) for pod in newest(pods) if workload in _workload_names(pod)][:most]


def _workload_names(pod: Object) -> set[str]:
    """What the workload of a pod may be called: its owner, or what made the owner and gave it a name with a suffix."""
    owners = [str(owner["name"]) for owner in pod["metadata"].get("ownerReferences") or () if owner.get("controller")]
    # ReplicaSets are `deployment-hash`, Jobs of a CronJob `cronjob-minutes`.
    return {name for owner in owners for name in (owner, owner.rpartition("-")[0]) if name}


def waits_of(pod: Object) -> Iterator[Wait]:
    """Why one pod waits: its containers in the order in which they start, then the scheduler."""
    for status in container_statuses(pod):
        wait = _container_wait(pod, status)
        if wait is not None:
            yield wait
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        reason, message = scheduled.get("reason") or "Unschedulable", scheduled.get("message") or ""
        yield Wait(str(pod["metadata"]["name"]), str(reason), str(message))


def container_statuses(pod: Object) -> list[Object]:
    """Init containers first: the others wait for them."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def is_sidecar(declared: Object) -> bool:
    """Whether an init container goes on running beside the others."""
    return declared.get("restartPolicy") == "Always"


def _container_wait(pod: Object, status: Object) -> Wait | None:
    if status.get("ready"):
        return None
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    # Between two attempts of a crash loop a container runs: how it ended before is then the only sign of it.
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    reason = str(waiting.get("reason") or (ended or {}).get("reason") or "")
    if reason in _UNREMARKABLE:
        return None
    return Wait(
        pod=str(pod["metadata"]["name"]),
        reason=reason,
        message=str(waiting.get("message") or ""),
        container=str(status["name"]),
        image=_image(pod, str(status["name"])),
        restarts=int(status.get("restartCount") or 0),
        ended=ended,
    )


def _image(pod: Object, container: str) -> str:
    """As the template names it: the status may hold a digest, or nothing before the image is there."""
    spec = pod.get("spec") or {}
    declared = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return next((str(each["image"]) for each in declared if each["name"] == container), "")


def _replica_counts(found: Object) -> Counts:
    status = found.get("status") or {}
    ready = int(status.get("readyReplicas") or 0)
    replicas = int(status.get("replicas") or 0)
    return Counts(
        desired=_desired(found.get("spec") or {}),
        # A ReplicaSet has one template only: each of its pods is up to date.
        updated=replicas if found.get("kind") == "ReplicaSet" else int(status.get("updatedReplicas") or 0),
        ready=ready,
        available=int(status.get("availableReplicas") or 0),
    )


def _desired(spec: Object) -> int:
    replicas = spec.get("replicas")
    # The API's default is 1; 0 is a value.
    return 1 if replicas is None else int(replicas)


def _daemon_set_counts(found: Object) -> Counts:
    status = found.get("status") or {}
    return Counts(
        desired=int(status.get("desiredNumberScheduled") or 0),
        updated=int(status.get("updatedNumberScheduled") or 0),
        ready=int(status.get("numberReady") or 0),
        available=int(status.get("numberAvailable") or 0),
    )


def _deployment_progress(spec: Object, status: Object, counts: Counts) -> Progress:
    whole = {"status": status}
    progressing = condition(whole, "Progressing")
    stuck = refusal(whole) or None
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        why = "; ".join(filter(None, [str(progressing.get("message")), stuck]))
        return Progress(False, "the rollout exceeded its progress deadline", counts, stuck_reason=why, hopeless=True)
    # The conditions, their order and words are those of `kubectl rollout status` (polymorphichelpers).
    old = int(status.get("replicas") or 0) - counts.updated
    message = None
    if counts.updated < counts.desired:
        message = f"{counts.updated} of {counts.desired} new replicas have been updated"
    elif old > 0:
        message = f"{old} old replicas are pending termination"
    elif counts.available < counts.updated:
        message = f"{counts.available} of {counts.updated} updated replicas are available"
    if message and spec.get("paused"):
        return Progress(False, f"{message}; it is paused", counts, stuck_reason="paused", hopeless=True)
    return _progress(message, counts, stuck)


def _stateful_set_progress(spec: Object, status: Object, counts: Counts) -> Progress:
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if waits_for_deletion(spec):
        return _on_delete(counts)
    message = None
    if counts.ready < counts.desired:
        message = f"{counts.desired - counts.ready} pods are not ready"
    # Pods below the partition keep the old revision on purpose.
    elif partition:
        if counts.updated < counts.desired - partition:
            message = f"{counts.updated} of {counts.desired - partition} pods above the partition are updated"
        return _progress(message, counts, done=f"successfully rolled out down to partition {partition}")
    elif status.get("updateRevision") != status.get("currentRevision"):
        message = f"{counts.updated} of {counts.desired} pods are at the new revision"
    return _progress(message, counts)


def _daemon_set_progress(spec: Object, status: Object, counts: Counts) -> Progress:
    if waits_for_deletion(spec):
        return _on_delete(counts)
    message = None
    if counts.updated < counts.desired:
        message = f"{counts.updated} of {counts.desired} new pods have been updated"
    elif counts.available < counts.desired:
        message = f"{counts.available} of {counts.desired} updated pods are available"
    return _progress(message, counts)


def _replica_set_progress(spec: Object, status: Object, counts: Counts) -> Progress:
    lacking = counts.available < counts.desired
    message = f"{counts.available} of {counts.desired} replicas are available" if lacking else None
    return _progress(message, counts, refusal({"status": status}) or None)


def _progress(
    message: str | None, counts: Counts, stuck: str | None = None, done: str = "successfully rolled out"
) -> Progress:
    return Progress(not message, message or done, counts, stuck_reason=stuck if message else None)


def waits_for_deletion(spec: Object) -> bool:
    """Whether a pod takes up a changed template only when someone deletes it."""
    return (spec.get("updateStrategy") or {}).get("type") == "OnDelete"


def _on_delete(counts: Counts) -> Progress:
    if counts.updated < counts.desired:
        message = f"{counts.updated} of {counts.desired} pods are updated"
        return Progress(False, message, counts, stuck_reason=ON_DELETE, hopeless=True)
    lacking = counts.desired - counts.ready
    return _progress(f"{lacking} pods are not ready" if lacking > 0 else None, counts)


def _unready_pod(found: Object) -> str:
    phase = (found.get("status") or {}).get("phase") or "Pending"
    ready = condition(found, "Ready").get("status") == "True" or phase == "Succeeded"
    return "" if ready else f"{phase}, not ready"


def _unready_job(found: Object) -> str:
    spec, status = found.get("spec") or {}, found.get("status") or {}
    wanted, done = int(spec.get("completions") or 1), int(status.get("succeeded") or 0)
    return "" if done >= wanted else f"{done} of {wanted} completions, {status.get('failed') or 0} failed"


def _unready_claim(found: Object) -> str:
    phase = (found.get("status") or {}).get("phase") or "Pending"
    return "" if phase == "Bound" else f"{phase}, not bound"


_Judge = Callable[[Object, Object, Counts], Progress]
_KINDS: Mapping[str, tuple[Callable[[Object], Counts], _Judge]] = {
    "Deployment": (_replica_counts, _deployment_progress),
    "StatefulSet": (_replica_counts, _stateful_set_progress),
    "DaemonSet": (_daemon_set_counts, _daemon_set_progress),
    "ReplicaSet": (_replica_counts, _replica_set_progress),
}
READINESS_KINDS: Mapping[str, Callable[[Object], str]] = {
    **dict.fromkeys(_KINDS, unready),
    "Job": _unready_job,
    "Pod": _unready_pod,
    "PersistentVolumeClaim": _unready_claim,
}
"""The kinds whose readiness is known here."""
POD_OWNERS: Sequence[str] = (*_KINDS, "Job")
"""Those of them that run pods of a selector."""
