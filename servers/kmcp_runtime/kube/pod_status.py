"""A pod as `kubectl get pods` shows it: the columns READY, STATUS and RESTARTS.

The API server prints that table (`pkg/printers/internalversion/printers.go`, printPod); this is the same for a pod that
was read whole. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.kube.workloads import condition, is_sidecar

Object = Mapping[str, Any]
NODE_LOST = "NodeLost"
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class PodStatus:
    """The three columns; `containers` counts what `ready` is out of."""

    word: str
    ready: int
    containers: int
    restarts: int

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with it: everything runs and is ready, or has ended as it should."""
        return self.word == "Completed" or (self.word == "Running" and self.ready == self.containers)


def pod_status(pod: Object) -> PodStatus:
    status = pod.get("status") or {}
    begun = _initialization(pod)
    word, ready, restarts = begun.word or _of_the_whole(status), begun.ready, begun.restarts
    if not begun.word or condition(pod, "Initialized").get("status") == "True":
        word, running = _of_containers(pod, word)
        ready += running
        restarts = begun.sidecar_restarts + sum(_restarts(each) for each in status.get("containerStatuses") or ())
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == NODE_LOST:
            word = "Unknown"
        elif status.get("phase") not in _ENDED:
            word = "Terminating"
    whole = len((pod.get("spec") or {}).get("containers") or ()) + len(_sidecars(pod))
    return PodStatus(word, ready, whole, restarts)


def _of_the_whole(status: Object) -> str:
    gated = any(
        each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in status.get("conditions") or ()
    )
    return "SchedulingGated" if gated else str(status.get("reason") or status.get("phase") or "Unknown")


@dataclass
class _Initialization:
    word: str = ""
    """Empty when no init container holds the pod up."""
    ready: int = 0
    restarts: int = 0
    sidecar_restarts: int = 0


def _initialization(pod: Object) -> _Initialization:
    """How far the init containers are, up to the first that has not let the next one start."""
    found, sidecars = _Initialization(), _sidecars(pod)
    for number, each in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        sidecar = each.get("name") in sidecars
        found.restarts += _restarts(each)
        found.sidecar_restarts += _restarts(each) if sidecar else 0
        state = each.get("state") or {}
        ended, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if ended is not None and not ended.get("exitCode"):
            continue
        if sidecar and each.get("started"):
            found.ready += bool(each.get("ready"))
            continue
        if ended is not None:
            found.word = f"Init:{_end(ended)}"
        elif waiting and waiting != "PodInitializing":
            found.word = f"Init:{waiting}"
        else:
            found.word = f"Init:{number}/{len((pod.get('spec') or {}).get('initContainers') or ())}"
        break
    return found


def _of_containers(pod: Object, word: str) -> tuple[str, int]:
    """The status that the first container in trouble gives to the pod, and how many run and are ready."""
    running, failed = 0, ""
    # Backwards, so that the first one has the last word.
    for each in reversed((pod.get("status") or {}).get("containerStatuses") or ()):
        state = each.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            word = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            word = _end(state["terminated"])
            failed = word if state["terminated"].get("exitCode") else failed
        elif each.get("ready") and state.get("running") is not None:
            running += 1
    if word == "Completed":
        # Since 1.36 one that failed counts more than another that has ended well.
        well = running and condition(pod, "Ready").get("status") == "True"
        word = "Running" if well else failed or ("NotReady" if running else word)
    return str(word), running


def _sidecars(pod: Object) -> set[str]:
    """Init containers that go on running beside the others."""
    declared = (pod.get("spec") or {}).get("initContainers") or ()
    return {str(each["name"]) for each in declared if is_sidecar(each)}


def _restarts(status: Object) -> int:
    return int(status.get("restartCount") or 0)


def _end(ended: Object) -> str:
    code = f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"
    return str(ended.get("reason") or code)
