"""Logs of containers."""

import asyncio
from typing import Annotated

from pydantic import Field

from kmcp_kubernetes.arguments import Container, PodName
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import containers, pod_logs
from kmcp_kubernetes.reading.containers import Pod
from kmcp_runtime import Body, Duration, Effect, OptionalNamespace, Rule, pattern, tool


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
    hints = [*cut, *(_why_empty(pod, log, wanted) for log in logs if not log.lines)]
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


def _why_empty(pod: Pod, log: pod_logs.Log, wanted: pod_logs.Wanted) -> str:
    """Why a log is empty and what to ask instead."""
    status = containers.status(pod, log.container)
    state = containers.state_in_words(status.get("state"))
    if wanted.previous and log.problem:
        return f"{log.container} has no previous run ({log.problem}); leave previous out. It is {state}"
    last = containers.last_termination(status)
    if last and not wanted.previous:
        times = status.get("restartCount", 0)
        return f"{log.container} wrote nothing in this run, {times} restarts: use previous=true; it last {last}"
    if log.problem:
        return f"{log.container} has not started: {state}; k8s_describe_resource shows its events"
    if wanted.match:
        return f"no line of {log.container} matches ({log.bytes} bytes searched)"
    since = " since then" if wanted.since is not None else ""
    return f"{log.container} wrote nothing{since}; it is {state}"
