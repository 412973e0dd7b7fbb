"""Containers of a pod: their names, which one a caller means, and what state each is in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kmcp_runtime import bad_argument, durations, quoted_list, suggesting
from kmcp_runtime.kube import workloads

# kubectl's annotation, which its logs and exec follow too.
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_SPECS = ("containers", "initContainers", "ephemeralContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_LONGEST_REASON = 300
Pod = Mapping[str, Any]


def names(pod: Pod) -> list[str]:
    """The names of every container: main ones first, then init and ephemeral ones."""
    return [str(container["name"]) for section in _SPECS for container in pod["spec"].get(section) or ()]


def chosen(pod: Pod, container: str | None) -> str:
    """The named container, or the only one, or the one that the pod's annotation names as the default."""
    known = names(pod)
    if container:
        if container not in known:
            absent = f"container: pod {pod['metadata']['name']} has no container {container!r}"
            raise bad_argument(
                suggesting(absent, container, known),
                f"its containers: {quoted_list(known)}",
            )
        return container
    main = [str(entry["name"]) for entry in pod["spec"]["containers"]]
    annotated = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    # kubectl would take the first container; the log of a wrong one could pass for the answer.
    if len(main) == 1 or annotated in main:
        return str(annotated) if annotated in main else main[0]
    raise bad_argument(
        f"container: required because pod {pod['metadata']['name']} has {len(main)} of them",
        f"its containers: {quoted_list(known)}",
    )


def status(pod: Pod, container: str) -> Mapping[str, Any]:
    """The status of a container; empty when the node has not reported one."""
    found = (entry for section in _STATUSES for entry in (pod.get("status") or {}).get(section) or ())
    return next((entry for entry in found if entry["name"] == container), {})


def state_in_words(state: Mapping[str, Any] | None) -> str:
    """`running since …`, `waiting: CrashLoopBackOff: …`, `terminated: Error, exit code 1 …`."""
    # At most one member of a ContainerState is set.
    for word, found in (state or {}).items():
        detail = found or {}
        if word == "running":
            return f"running since {detail.get('startedAt', 'now')}"
        if word == "waiting":
            return _joined("waiting", [detail.get("reason"), detail.get("message")])
        return termination(detail)
    return "unknown: the node has not reported a state"


def termination(detail: Mapping[str, Any]) -> str:
    """How a container ended: reason, exit code (and signal), when and after what time, its termination message."""
    code = f"exit code {detail.get('exitCode', '?')}"
    signal = f"signal {detail['signal']}" if detail.get("signal") else None
    ended = f"at {detail['finishedAt']}{_lived(detail)}" if detail.get("finishedAt") else None
    return _joined(
        "terminated", [", ".join(filter(None, [detail.get("reason"), code, signal, ended])), detail.get("message")]
    )


def _lived(detail: Mapping[str, Any]) -> str:
    """` after 12s`; nothing where the program never ran, for which runtimes write the year 1970."""
    started, ended = (_seconds(str(detail.get(key))) for key in ("startedAt", "finishedAt"))
    return f" after {durations.age(ended - started)}" if started and ended else ""


def _seconds(stamp: str) -> float:
    """Seconds since 1970; 0 for what is not a time."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0


def blocking_init(pod: Pod, container: str) -> tuple[str, str] | None:
    """The init container that a container waits for, and its state with how it ended last; None when none does."""
    for declared in pod["spec"].get("initContainers") or ():
        name = str(declared["name"])
        found = status(pod, name)
        if name == container or not found:
            # Init containers start in their order: those behind it do not hold this one up.
            return None
        ended = (found.get("state") or {}).get("terminated")
        # A sidecar (restartPolicy Always) lets the next one start once it has started itself.
        if (ended is not None and not ended.get("exitCode")) or (
            found.get("started") and workloads.is_sidecar(declared)
        ):
            continue
        last = last_termination(found)
        return name, state_in_words(found.get("state")) + (f", last {last}" if last else "")
    return None


def why_pod_waits(pod: Pod) -> str | None:
    """Why no container of a pod has started: no node, or the pod itself has ended (evicted); None when neither."""
    found = pod.get("status") or {}
    scheduled = workloads.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return _joined(f"the pod has no node: {scheduled.get('reason')}", [scheduled.get("message")])
    if found.get("reason"):
        return _joined(f"the pod is {found.get('phase')}: {found['reason']}", [found.get("message")])
    if not pod["spec"].get("nodeName"):
        scheduler = pod["spec"].get("schedulerName") or "default-scheduler"
        return f"the pod has no node, and the scheduler {scheduler} has said nothing about it yet"
    return None


def last_termination(found: Mapping[str, Any]) -> str | None:
    ended = (found.get("lastState") or {}).get("terminated")
    return termination(ended) if ended else None


def shortened(reason: str) -> str:
    """A reason of others, whose beginning says most."""
    return reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "…"


def _joined(word: str, parts: Sequence[str | None]) -> str:
    return ": ".join([word, *(part.strip() for part in parts if part)])
