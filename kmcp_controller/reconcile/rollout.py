"""From a Deployment and its pods to what the condition Ready needs to know. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_controller.render.objects import SPEC_HASH
from kmcp_controller.render.pod import GATE
from kmcp_controller.status.conditions import Rollout
from kmcp_runtime import redaction
from kmcp_runtime.kube import workloads

Object = Mapping[str, Any]
_ROLLING = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")
_MESSAGE, _LAST_WORDS = 256, 160


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
        deadline_exceeded=workloads.condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded",
        cause=cause(deployment, pods),
        backend=backend,
    )


def under_way(deployment: Object) -> bool:
    """Whether pods are being exchanged; no longer once that is complete or was given up."""
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    if status.get("observedGeneration", 0) < metadata["generation"]:
        return True
    return workloads.condition(deployment, "Progressing").get("reason") in _ROLLING


def cause(deployment: Object, pods: Sequence[Object]) -> str:
    """Why the newest pod that fails does so, in the kubelet's words, or why there is none."""
    for pod in workloads.newest(pods):
        text = next(_failures(pod), "")
        if text:
            return text
    refused = workloads.condition(deployment, "ReplicaFailure")
    if refused.get("status") == "True":
        return _clean(f"{refused.get('reason')}: {refused.get('message', '')}")
    return ""


def unpulled(deployment: Object, pods: Sequence[Object]) -> str:
    """The image of the current template that cannot be pulled, and why; empty when each can."""
    spec = deployment["spec"]["template"]["spec"]
    images = {each["image"] for each in [*(spec.get("initContainers") or ()), *spec["containers"]]}
    for wait in workloads.waits(pods):
        if wait.about_image and wait.image in images:
            return _clean(f"image {wait.image}: {wait.reason}: {wait.message}")
    return ""


def ready_pod(pods: Sequence[Object], hash_of: str) -> Object | None:
    """A pod that gets traffic; `hash_of` is the annotation refs-hash of the current template."""
    for pod in workloads.newest(pods):
        ready = workloads.condition(pod, "Ready").get("status") == "True"
        same = ((pod["metadata"].get("annotations") or {}).get("kmcp-suite/refs-hash") or "") == hash_of
        if ready and same and pod["status"].get("podIP"):
            return pod
    return None


def _failures(pod: Object) -> Iterator[str]:
    for wait in workloads.waits_of(pod):
        # The kubelet's message of a crash loop counts seconds; what the program said at its end stays the same.
        message = _last_words(str(wait.ended.get("message") or "")) if wait.ended else wait.message
        text = ": ".join(filter(None, [wait.summary, message.strip()]))
        yield _clean(f"container {wait.container}: {text}" if wait.container else text)
    gate = workloads.condition(pod, GATE)
    if gate.get("status") == "False":
        name = pod["metadata"]["name"]
        yield _clean(f"pod {name} gets no traffic because its tools changed: {gate.get('message', '')}")


def unready_pod(pods: Sequence[Object]) -> Object | None:
    """The newest pod whose server runs and is not ready: what its probe finds is not in its status."""
    for pod in workloads.newest(pods):
        status = next((each for each in workloads.container_statuses(pod) if each["name"] == "mcp-server"), {})
        running = "running" in (status.get("state") or {})
        return pod if running and not status.get("ready") and (pod.get("status") or {}).get("podIP") else None
    return None


def _last_words(text: str) -> str:
    """The end of what a program wrote: that says why it ended, and what stands before it may be long."""
    lines = [line for line in text.splitlines() if line.strip()]
    kept = list[str]()
    while lines and sum(map(len, kept)) + len(lines[-1]) <= _LAST_WORDS:
        kept.insert(0, lines.pop())
    return " ".join(kept) or (lines[-1][-_LAST_WORDS:] if lines else "")


def _clean(text: str) -> str:
    # A program's last words can hold credentials, and end up in a condition that many may read.
    return redaction.text(" ".join(text.split()))[:_MESSAGE]
