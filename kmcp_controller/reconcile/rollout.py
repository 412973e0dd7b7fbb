"""From a Deployment and its pods to what the condition Ready needs to know. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_controller.render.objects import SPEC_HASH
from kmcp_controller.render.pod import GATE
from kmcp_controller.status.conditions import Rollout
from kmcp_runtime.output import redact

Object = Mapping[str, Any]
IMAGE_REASONS = ("InvalidImageName", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")
_ROLLING = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")
_MESSAGE = 256


def rollout(deployment: Object, spec_hash: str, wanted: int, pods: Sequence[Object] = (), backend: str = "") -> Rollout:
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    rendered = (metadata.get("annotations") or {}).get(SPEC_HASH) == spec_hash
    seen = status.get("observedGeneration", 0) >= metadata["generation"]
    terminating = [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]
    return Rollout(
        current=rendered and seen,
        wanted=0 if deployment["spec"].get("replicas") == 0 else wanted,
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        terminating=max(len(terminating), status.get("terminatingReplicas") or 0),
        deadline_exceeded=_condition(status, "Progressing").get("reason") == "ProgressDeadlineExceeded",
        cause=cause(deployment, pods),
        backend=backend,
    )


def under_way(deployment: Object) -> bool:
    """Whether pods are being exchanged; no longer once that is complete or was given up."""
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    if status.get("observedGeneration", 0) < metadata["generation"]:
        return True
    return _condition(status, "Progressing").get("reason") in _ROLLING


def cause(deployment: Object, pods: Sequence[Object]) -> str:
    """Why the newest pod that fails does so, in the kubelet's words, or why there is none."""
    refused = _condition(deployment.get("status") or {}, "ReplicaFailure")
    for pod in _newest(pods):
        text = next(_failures(pod), "")
        if text:
            return text
    if refused.get("status") == "True":
        return _clean(f"{refused.get('reason')}: {refused.get('message', '')}")
    return ""


def unpulled(deployment: Object, pods: Sequence[Object]) -> str:
    """The image of the current template that cannot be pulled, and why; empty when each can."""
    images = {each["image"] for each in _containers(deployment["spec"]["template"]["spec"])}
    for pod in _newest(pods):
        for status in _statuses(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            image = _image(pod, status["name"])
            if waiting.get("reason") in IMAGE_REASONS and image in images:
                return _clean(f"image {image}: {waiting['reason']}: {waiting.get('message', '')}")
    return ""


def ready_pod(pods: Sequence[Object], hash_of: str) -> Object | None:
    """A pod that gets traffic; `hash_of` is the annotation refs-hash of the current template."""
    for pod in _newest(pods):
        ready = _condition(pod.get("status") or {}, "Ready").get("status") == "True"
        same = ((pod["metadata"].get("annotations") or {}).get("kmcp-suite/refs-hash") or "") == hash_of
        if ready and same and pod["status"].get("podIP"):
            return pod
    return None


def _newest(pods: Sequence[Object]) -> list[Object]:
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return sorted(alive, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)


def _failures(pod: Object) -> Iterator[str]:
    for status in _statuses(pod):
        if status.get("ready"):
            continue
        text = _failure(status)
        if text:
            yield _clean(f"container {status['name']}: {text}")
    gate = _condition(pod.get("status") or {}, GATE)
    if gate.get("status") == "False":
        yield _clean(f"pod {pod['metadata']['name']} gets no traffic, its tools changed: {gate.get('message', '')}")
    scheduled = _condition(pod.get("status") or {}, "PodScheduled")
    if scheduled.get("status") == "False":
        yield _clean(f"{scheduled.get('reason')}: {scheduled.get('message', '')}")


def _failure(status: Object) -> str:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    reason = waiting.get("reason") or ended.get("reason") or ""
    if reason in ("", "ContainerCreating", "PodInitializing", "Completed"):
        return ""
    parts = [reason]
    if ended:
        parts.append(f"exit code {ended.get('exitCode')}, {status.get('restartCount', 0)} restarts")
    message = ended.get("message") or ("" if ended else waiting.get("message")) or ""
    return ": ".join(filter(None, [", ".join(parts), message.strip()]))


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _containers(spec: Object) -> list[Object]:
    return [*(spec.get("initContainers") or ()), *spec["containers"]]


def _image(pod: Object, container: str) -> str:
    return next((each["image"] for each in _containers(pod["spec"]) if each["name"] == container), "")


def _condition(status: Object, type_: str) -> Object:
    return next((each for each in status.get("conditions") or () if each["type"] == type_), {})


def _clean(text: str) -> str:
    return redact.text(" ".join(text.split()))[:_MESSAGE]
