"""What holds a rollout up, and whether it can pass by itself.

The states of the pods come first; events only of pods whose states say nothing: volumes that cannot be mounted,
sandboxes that cannot be made, probes that fail.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import event_scan
from kmcp_kubernetes.reading.containers import shortened
from kmcp_kubernetes.rollout import revisions
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.selectors import selector_of

Object = Mapping[str, Any]
# Pods of one template fail alike: a few of them show every reason.
_PODS_LOOKED_AT = 100
_PODS_WITH_EVENTS = 3
_AT_ONCE, _SOON, _LATER = 0.0, 10.0, 30.0
"""Seconds after which an obstacle of its kind counts as one that stays: nothing can change it, somebody who is at work
on the same things may, other pods or nodes may."""
_FOREVER = float("inf")
"""It goes away by itself, or nobody knows: a probe fails until the program is up."""
_PATIENCE: Mapping[str, float] = {
    "InvalidImageName": _AT_ONCE,
    "ErrImageNeverPull": _AT_ONCE,
    "SignatureValidationFailed": _AT_ONCE,
    "RROUnsupported": _AT_ONCE,
    "RunContainerError": _SOON,
    "CreateContainerConfigError": _SOON,
    "CreateContainerError": _SOON,
    "SchedulingGated": _FOREVER,
}
_RESTARTS = 2
"""A program that has ended once more often than this in a row is not just waiting for another one to come up."""
_PROBED = ("readinessProbe", "startupProbe")
# Told by the states of the pod already.
_KNOWN_EVENTS = frozenset({"BackOff", "Failed", "FailedScheduling", "InspectFailed", "ErrImageNeverPull"})


@dataclass(frozen=True)
class Obstacle:
    """Something that a rollout waits for. Seconds for `patience`: how long it may last before it counts as lasting."""

    kind: str
    """Stays the same from one look to the next, while pods and messages change."""
    text: str
    patience: float


@dataclass
class Sight:
    """What was seen of the pods; `unseen` says what could not be looked at."""

    obstacles: list[Obstacle] = field(default_factory=list)
    unseen: str | None = None

    @property
    def text(self) -> str:
        return "; ".join(list(dict.fromkeys(each.text for each in self.obstacles))[:3])


async def look(kube: Kube, found: Object) -> Sight:
    """The obstacles of the pods of the latest revision; of older pods when there are none; of a pod itself."""
    sight = Sight()
    if found.get("kind") == "Pod":
        await _look_at_pod(kube, found, sight)
        return sight
    refused = workloads.refusal(found)
    if refused:
        sight.obstacles.append(Obstacle("refused", refused, _LATER))
    try:
        selector = selector_of(found.get("spec") or {})
        latest = await _latest_selector(kube, found)
        pods = await _list_pods(kube, found, f"{selector},{latest}") if latest else []
        waiting = workloads.waits(pods)
        sight.obstacles += [_of_wait(wait) for wait in waiting]
        if not sight.obstacles:
            await _look_at_events(kube, found, pods, sight)
        if not sight.obstacles:
            # An older pod that does not get ready can hold the new ones up; a new revision may be what mends it.
            older = workloads.waits(await _list_pods(kube, found, selector))
            sight.obstacles += [Obstacle("older", shortened(f"pod {wait.pod}: {wait}"), _FOREVER) for wait in older]
    except ToolFailure as failure:
        sight.unseen = f"cannot find out what the pods wait for: {failure.message}"
    return sight


async def _look_at_pod(kube: Kube, pod: Object, sight: Sight) -> None:
    sight.obstacles += [_of_wait(wait) for wait in workloads.waits([pod])]
    if not sight.obstacles:
        await _look_at_events(kube, pod, [pod], sight)


async def _list_pods(kube: Kube, found: Object, selector: str | None) -> list[Any]:
    namespace = found["metadata"]["namespace"]
    return await kube.sample_objects("pods", namespace, _PODS_LOOKED_AT, selector=selector)


async def _latest_selector(kube: Kube, found: Object) -> str | None:
    """The label of the pods of the latest revision; None while there is no such revision yet."""
    if found.get("kind") == "StatefulSet":
        latest = (found.get("status") or {}).get("updateRevision")
        return f"controller-revision-hash={latest}" if latest else None
    owner = revisions.latest(found, await revisions.list_revisions(kube, found))
    label = "pod-template-hash" if found.get("kind") == "Deployment" else "controller-revision-hash"
    value = ((owner or {}).get("metadata", {}).get("labels") or {}).get(label)
    return f"{label}={value}" if value else None


def _of_wait(wait: workloads.Wait) -> Obstacle:
    text = shortened(f"pod {wait.pod}: {wait}")
    if wait.about_image and wait.reason not in _PATIENCE:
        # ErrImagePull and ImagePullBackOff take turns.
        return Obstacle("image", text, _SOON if _is_refused_image(wait.message) else _LATER)
    never_ran = (wait.ended or {}).get("reason") in workloads.NEVER_STARTED_REASONS
    if wait.reason in workloads.NEVER_STARTED_REASONS or never_ran:
        return Obstacle("start", text, _AT_ONCE)
    if wait.reason == "CrashLoopBackOff":
        return Obstacle("crash", text, _AT_ONCE if wait.restarts >= _RESTARTS else _FOREVER)
    if wait.reason in workloads.UNSCHEDULED_REASONS:
        return Obstacle(wait.reason, text, _PATIENCE.get(wait.reason, _LATER))
    return Obstacle(wait.reason, text, _PATIENCE.get(wait.reason, _FOREVER))


def _is_refused_image(message: str) -> bool:
    # What registries and runtimes say of an image that is not there or not for us.
    said = message.lower()
    return any(words in said for words in ("not found", "denied", "unauthorized", "no such host", "403 forbidden"))


async def _look_at_events(kube: Kube, found: Object, pods: Sequence[Object], sight: Sight) -> None:
    """Obstacles of pods whose states give no reason, and of a controller that cannot make its pods."""
    silent = [pod for pod in workloads.newest(pods) if workloads.condition(pod, "Ready").get("status") != "True"]
    for pod in silent[:_PODS_WITH_EVENTS]:
        sight.obstacles += _of_silent_pod(pod, await _warnings(kube, pod, sight))
        sight.obstacles += _gates(pod)
    # A Deployment has a condition for what is refused; the other two have only events.
    if not pods and found.get("kind") != "Deployment":
        refused = await _warnings(kube, found, sight)
        sight.obstacles += [Obstacle("refused", shortened(each.message), _LATER) for each in refused[:1]]


async def _warnings(kube: Kube, about: Object, sight: Sight) -> list[event_scan.Event]:
    """The warnings about an object, the newest of each reason."""
    try:
        found = await event_scan.newest_warnings(kube.api, kube.discovery, about)
    except ToolFailure as failure:
        # The states of the pods are worth something without their events.
        sight.unseen = f"events not read: {failure.message}"
        return []
    return [event for event in found if event.reason not in _KNOWN_EVENTS]


def _of_silent_pod(pod: Object, events: Sequence[event_scan.Event]) -> Iterator[Obstacle]:
    name = pod["metadata"]["name"]
    unready = [each for each in workloads.container_statuses(pod) if not each.get("ready")]
    running = [str(each["name"]) for each in unready if "running" in (each.get("state") or {})]
    failed = [each for each in events if each.reason == "Unhealthy"]
    probed = [each for each in running if any(probe in _declared(pod, each) for probe in _PROBED)]
    if probed:
        why = failed[0].message if failed else "its probe has not succeeded yet"
        yield Obstacle("probe", shortened(f"pod {name}: {', '.join(probed)} runs but is not ready: {why}"), _FOREVER)
    # Once the sandbox stands, what was said about volumes and networks is past.
    elif workloads.condition(pod, "PodReadyToStartContainers").get("status") != "True":
        for each in events:
            if each.reason != "Unhealthy":
                yield Obstacle(each.reason, shortened(f"pod {name}: {each.reason}: {each.message}"), _LATER)


def _declared(pod: Object, container: str) -> Object:
    spec = pod.get("spec") or {}
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return next((each for each in every if each["name"] == container), {})


def _gates(pod: Object) -> Iterator[Obstacle]:
    """Readiness gates that others have not opened."""
    for gate in (pod.get("spec") or {}).get("readinessGates") or ():
        if workloads.condition(pod, gate["conditionType"]).get("status") != "True":
            text = f"pod {pod['metadata']['name']}: its readiness gate {gate['conditionType']} is not True"
            yield Obstacle("gate", text, _FOREVER)
