"""What the controller's log says of a traffic router plugin: whether it was downloaded and loaded, and if not why."""

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kmcp_argo.client import Argo
from kmcp_argo.installation.deployments import CONTAINER, LABEL, find_controllers
from kmcp_runtime import go_seconds, unavailable
from kmcp_runtime.kube import objects

LARGEST_LOG = 4 << 20
"""Bytes that are read of a log."""
_POLL_SECONDS = 1.0


@dataclass
class Loading:
    """What a controller's log says about one plugin."""

    found: bool = False
    loaded: bool = False
    source: str | None = None
    seconds: float | None = None
    errors: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def loading(log: Iterable[str], plugin: str) -> Loading:
    """What the lines of a log say about one plugin; they are those of argo-rollouts, utils/plugin/downloader.go."""
    # "Download complete" does not name the plugin; it belongs to the last "Downloading plugin" before it.
    seen, current = Loading(), False
    for line in log:
        started = re.search(r"Downloading plugin (\S+) from: ([^\s\"]+)", line)
        if started:
            current = started[1] == plugin
            if current:
                seen.found, seen.loaded, seen.source = True, False, started[2]
        elif "Download complete, it took" in line and current:
            seen.loaded, seen.seconds = True, seconds_of(line.rpartition("it took ")[2].strip('" '))
        elif "Copied plugin from" in line and line.rstrip('" ').endswith(plugin):
            seen.found = seen.loaded = True
            seen.source = line.partition("Copied plugin from ")[2].partition(" to ")[0]
        # "lugin" matches both "plugin" and "Plugin"; the messages use either.
        elif "failed to" in line and "lugin" in line and (current or plugin in line):
            seen.found, seen.loaded = True, False
            seen.errors.append(line)
        else:
            continue
        if current or plugin in line:
            seen.lines.append(line)
    return seen


def seconds_of(duration: str) -> float | None:
    """Seconds of a duration as Go prints it, `734.5ms` or `1m2.3s`; None for another format."""
    try:
        return round(go_seconds(duration), 6)
    except ValueError:
        return None


async def find_controller_pod(argo: Argo, namespace: str) -> objects.Object:
    """The newest running pod of the controller, from another namespace where it is not in this one."""
    found = await find_controllers(argo, LABEL, namespace) or await find_controllers(argo, LABEL)
    if not found:
        raise unavailable(
            f"no controller of Argo Rollouts is running in {namespace} or elsewhere",
            "argo_verify_argo_rollouts_controller_install shows what is missing",
        )
    pods = await argo.list_objects("pods", found[0].namespace, selector=LABEL)
    running = [each for each in pods if (each.get("status") or {}).get("phase") == "Running"]
    if not running:
        raise unavailable(
            f"no pod of the controller {found[0].namespace}/{found[0].name} is running",
            "argo_verify_argo_rollouts_controller_install shows why",
        )
    # During a rollout of the controller the newest pod is the one that stays.
    return max(running, key=lambda each: str(each["status"].get("startTime", "")))


async def wait_for_loading(argo: Argo, pod: objects.Object, plugin: str, seconds: float) -> Loading:
    """What the log says about a plugin; a controller that has just started gets `seconds` from its start to say it."""
    deadline = time.monotonic() + max(0.0, seconds - _age(pod))
    while True:
        seen = loading(await _read_log(argo, pod), plugin)
        if not seen.found and _restarts(pod):
            # A plugin that cannot be loaded ends the controller, so the reason is in the log of the run before.
            seen = loading(await _read_log(argo, pod, previous=True), plugin)
        if seen.loaded or seen.errors or time.monotonic() >= deadline:
            return seen
        await argo.call.progress(0, None, f"{plugin} is not loaded yet")
        await asyncio.sleep(_POLL_SECONDS)


async def _read_log(argo: Argo, pod: objects.Object, previous: bool = False) -> list[str]:
    """The lines from the container's start."""
    containers = [each["name"] for each in pod["spec"]["containers"]]
    container = CONTAINER if CONTAINER in containers else containers[0]
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    # limitBytes counts from the beginning. tailLines would cut off just that part, where plugins are loaded.
    query = [("container", container), ("limitBytes", str(LARGEST_LOG))]
    query += [("previous", "true")] if previous else []
    content = await argo.api.raw("GET", path, query, accept="*/*")
    return content.decode(errors="replace").splitlines()


def _restarts(pod: objects.Object) -> bool:
    return any(each.get("restartCount") for each in (pod.get("status") or {}).get("containerStatuses") or ())


def _age(pod: objects.Object) -> float:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    started = ((statuses[0].get("state") or {}).get("running") or {}).get("startedAt")
    if not started:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(started.replace("Z", "+00:00"))).total_seconds()
