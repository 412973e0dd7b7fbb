"""Logs of containers."""

import asyncio
import json
from typing import Annotated

from pydantic import Field

from kmcp_kubernetes.arguments import Container, PodName
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import containers, pod_logs
from kmcp_kubernetes.reading.containers import Pod
from kmcp_runtime import Body, Duration, Effect, OptionalNamespace, Rule, pattern, tool

_LONGEST_QUOTED = 300


class Logs(Body):
    """Lines of a log, the newest last."""

    cuttable = "lines"
    keeps_end = True

    pod: str
    namespace: str
    container: str | None = Field(default=None, description="Absent for all containers")
    containers: list[str] = Field(description="All containers of the pod, init and ephemeral ones included")
    previous: bool
    lines: list[str]
    bytes: int = Field(description="Size of what was read")


@tool(Effect.READ, needs=(Rule("", ("pods", "pods/log"), ("get",)),))
async def k8s_get_pod_logs(
    kube: Kube,
    pod_name: PodName,
    namespace: OptionalNamespace = None,
    container: Container = None,
    all_containers: Annotated[bool, "All containers, lines prefixed"] = False,
    tail_lines: Annotated[int, "Newest lines", Field(ge=1, le=2000)] = 50,
    previous: Annotated[bool, "The run before the last restart"] = False,
    since: Annotated[Duration | None, "Not older than"] = None,
    timestamps: Annotated[bool, "Prefix lines with times"] = False,
    match: Annotated[str | None, "Only lines that match this regex"] = None,
) -> Logs:
    """Read the newest log lines of a pod; previous=true after a crash."""
    namespace = kube.namespace(namespace)
    wanted = pod_logs.Wanted(tail_lines, previous, since, timestamps, pattern(match, "match") if match else None)
    pod = await kube.read_kind("pods", pod_name, namespace)
    known = containers.names(pod)
    read = known if all_containers and not container else [containers.chosen(pod, container)]
    logs = await asyncio.gather(*(pod_logs.read(kube.api, namespace, pod_name, name, wanted) for name in read))
    single = logs[0] if len(logs) == 1 and not all_containers else None
    lines = single.lines if single else [f"[{log.container}] {line}" for log in logs for line in log.lines]
    cut = list(dict.fromkeys(log.cut for log in logs if log.cut))
    hints = [*cut, *dict.fromkeys(_why(pod, log, wanted) for log in logs if log.gone or not log.lines)]
    return Logs(
        pod=pod_name,
        namespace=namespace,
        container=single.container if single else None,
        containers=known,
        previous=previous,
        lines=lines,
        bytes=sum(log.bytes for log in logs),
        truncated=bool(cut),
        hint="; ".join(hints) or None,
    )


def _why(pod: Pod, log: pod_logs.Log, wanted: pod_logs.Wanted) -> str:
    """Why a log is empty or ends early, and what to ask instead."""
    status = containers.status(pod, log.container)
    state = _shown(containers.state_in_words(status.get("state")))
    last = _shown(containers.last_termination(status) or "") or None
    if wanted.previous and log.problem:
        return _no_previous(log, state, last)
    if last and wanted.previous and not log.lines and not wanted.match and wanted.since is None:
        return f"{log.container} wrote nothing in its previous run, which {last}"
    if last and not wanted.previous and not log.lines:
        times = status.get("restartCount", 0)
        return f"{log.container} wrote nothing in this run, {times} restarts: use previous=true; it last {last}"
    # A container that runs or has ended did start: then it is its log that is not there (any more).
    if log.gone or (log.problem and {"running", "terminated"} & (status.get("state") or {}).keys()):
        # The pod's own reason says more than that of the container: evicted, node lost.
        state = _shown(containers.why_pod_waits(pod) or "") or f"it is {state}"
        return f"the node cannot read the log of {log.container} ({_quoted(log.problem)}); {state}"
    if log.problem or not status:
        # Of a pod without a node the API server answers an empty log.
        return _why_not_started(pod, log, state)
    if wanted.match:
        return f"no line of {log.container} matches ({log.bytes} bytes searched)"
    since = " since then" if wanted.since is not None else ""
    return f"{log.container} wrote nothing{since}; it is {state}"


def _shown(state: str) -> str:
    """A state for a hint, which is the server's own word: the message in it, which is not, stands in quotes."""
    *known, message = state.split(": ", 2)
    return ": ".join([*known, _quoted(message)]) if len(known) == 2 else state


def _quoted(text: str | None) -> str:
    return json.dumps((text or "")[:_LONGEST_QUOTED], ensure_ascii=False)


def _no_previous(log: pod_logs.Log, state: str, last: str | None) -> str:
    # The status remembers how a run ended for longer than the node keeps its log.
    if log.gone or last:
        ended = f"; that run {last}" if last else ""
        return f"the log of the previous run of {log.container} is gone from the node ({_quoted(log.problem)}){ended}"
    return f"{log.container} has no previous run ({_quoted(log.problem)}); leave previous out. It is {state}"


def _why_not_started(pod: Pod, log: pod_logs.Log, state: str) -> str:
    """What keeps a container from starting: the pod itself, or an init container before it."""
    blocker = containers.blocking_init(pod, log.container)
    if blocker:
        name, its_state = blocker
        return f"{log.container} waits for init container {name}, which is {_shown(its_state)}: use container={name}"
    whole = containers.why_pod_waits(pod)
    if whole:
        return f"{log.container} has not started: {_shown(whole)}"
    return f"{log.container} has not started: {state}; k8s_describe_resource shows its events"
