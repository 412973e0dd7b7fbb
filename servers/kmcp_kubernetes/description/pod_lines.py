"""Pods in a line each, as `kubectl get pods` shows them, with the reason where they do not run."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Look, some
from kmcp_kubernetes.reading import containers, event_scan
from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.pod_status import PodStatus, pod_status

_MOST_ASKED = 3
"""Pods whose events are read: those of one template wait for the same."""
_STARTED = "PodReadyToStartContainers"
_STEPS = {
    "FailedScheduling": "PodScheduled",
    "FailedMount": _STARTED,
    "FailedAttachVolume": _STARTED,
    "FailedCreatePodSandBox": _STARTED,
    "NetworkNotReady": _STARTED,
}
"""Warnings about a step of the start, with the condition that tells that it was taken."""
Pod = Mapping[str, Any]


async def list_lines(
    look: Look, pods: Iterable[Pod], name: Callable[[Pod], str] = lambda pod: str(pod["metadata"]["name"])
) -> list[Detail]:
    """Related pods, those with problems first; of many the first ones, and how many more there are."""
    seen = [(pod, pod_status(pod)) for pod in pods]
    seen.sort(key=lambda each: each[1].is_well)
    reasons = {str(pod["metadata"]["uid"]): reason(pod) for pod, status in seen if not status.is_well}
    silent = [pod for pod, status in seen if not status.is_well and not reasons[str(pod["metadata"]["uid"])]]
    asked = silent[:_MOST_ASKED]
    told = await asyncio.gather(*(_read_reason(look, pod) for pod in asked))
    reasons |= {str(pod["metadata"]["uid"]): why for pod, why in zip(asked, told, strict=True)}
    return some(
        {"kind": "Pod", "name": name(pod), "state": _line(pod, status, reasons.get(str(pod["metadata"]["uid"]), ""))}
        for pod, status in seen
    )


def _line(pod: Pod, status: PodStatus, why: str) -> str:
    # Between two attempts of a crash loop a pod runs and is ready: how it ended is then the only sign of it.
    why = why or (_last_end(pod) if status.restarts else "")
    words = [f"{status.word}, {status.ready}/{status.containers} ready"]
    words += [f"{status.restarts} restarts"] if status.restarts else []
    return ", ".join([*words, *([why] if why else [])])


def _last_end(pod: Pod) -> str:
    ends = (containers.last_termination(each) for each in workloads.container_statuses(pod))
    return next((containers.shortened(f"last run {end}") for end in ends if end), "")


def reason(pod: Pod) -> str:
    """Why a pod does not run, as far as its own status says; empty where it says nothing."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if metadata.get("deletionTimestamp"):
        finalizers = metadata.get("finalizers")
        held = f", waits for finalizers {', '.join(finalizers)}" if finalizers else ""
        return f"since {metadata['deletionTimestamp']}{held}"
    return next(_reasons(pod), "") or str(status.get("message") or "")


def _reasons(pod: Pod) -> Iterator[str]:
    for each in workloads.container_statuses(pod):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        # Every start begins with these; they say nothing yet.
        if waiting.get("reason") and waiting["reason"] not in workloads.STARTING_REASONS:
            last = containers.last_termination(each)
            yield containers.shortened(containers.state_in_words(state) + (f"; last run {last}" if last else ""))
        elif ended.get("exitCode"):
            yield containers.shortened(containers.state_in_words(state))
    scheduled = workloads.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield containers.shortened(f"{scheduled.get('reason')}: {scheduled.get('message')}")


async def _read_reason(look: Look, pod: Pod) -> str:
    """What the newest warning about a pod says: volumes, networks and probes are told by events alone."""
    found = await look.try_reading("events", event_scan.newest_warnings(look.kube.api, look.kube.discovery, pod))
    return next(
        (containers.shortened(f"{each.reason}: {each.message}") for each in found or () if not _is_past(pod, each)), ""
    )


def _is_past(pod: Pod, event: event_scan.Event) -> bool:
    """Whether a warning is about a step of the start that the pod has taken since."""
    condition = _STEPS.get(event.reason)
    return condition is not None and workloads.condition(pod, condition).get("status") == "True"
