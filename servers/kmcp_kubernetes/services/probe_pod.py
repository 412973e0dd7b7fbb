"""A short-lived pod that connects to one address and port, and is deleted afterwards in every case."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import containers
from kmcp_runtime import ToolFailure, unavailable
from kmcp_runtime.kube import objects, workloads
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure

LABEL = "kmcp-suite/probe"
START_SECONDS = 10
"""For scheduling, pulling the image and starting, in addition to the connect test itself."""
_CLEANUP_SECONDS = 10
_POLL_SECONDS = 0.25


@dataclass
class Outcome:
    """Whether the connection was made; if not, `reason` is the program's own message."""

    connected: bool
    reason: str | None = None
    warning: str | None = None


def manifest(image: str, host: str, port: int, seconds: int) -> dict[str, Any]:
    """A pod that the restricted pod security standard admits, that has no token, and ends by itself."""
    container = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # Once connected, nc executes `true`: the exit code then shows whether the connection was made.
        "command": ["nc", "-w", str(seconds), host, str(port), "-e", "true"],
        # nc's own words arrive in the pod's status, so no right to read logs is needed.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        # If this process ends before it can delete the pod, the kubelet still stops it.
        "activeDeadlineSeconds": seconds + START_SECONDS,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            # The image's default user is root, which runAsNonRoot refuses; 65534 is nobody.
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    name = f"kmcp-probe-{secrets.token_hex(5)}"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {LABEL: "true"}}, "spec": spec}


async def connect(kube: Kube, namespace: str, host: str, port: int, seconds: int, dry_run: bool) -> Outcome:
    """Create the pod, wait until it ends, delete it. A pod that cannot run is `unavailable`, whatever the target."""
    kind = await kube.discovery.resolve("pods")
    pod = manifest(kube.settings.probe_image, host, port, seconds)
    if dry_run:
        await objects.create(kube.api, kind, namespace, pod, dry_run=True)
        return Outcome(False)
    name = pod["metadata"]["name"]
    left = [f"probe pod {name} may be left behind: its deletion took more than {_CLEANUP_SECONDS} s"]
    try:
        # Not cancellable: a pod whose creation was abandoned could appear after its deletion.
        with anyio.CancelScope(shield=True):
            await objects.create(kube.api, kind, namespace, pod)
        outcome = await _wait_for_end(kube, kind, namespace, name, seconds)
    finally:
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            left = await asyncio.shield(_delete(kube, kind, namespace, name))
    outcome.warning = "; ".join(left) or None
    return outcome


async def _delete(kube: Kube, kind: Kind, namespace: str, name: str) -> list[str]:
    """Delete the pod; returns warnings instead of failing, so that an earlier failure is not hidden."""
    try:
        await objects.delete(
            kube.api, kind, name, namespace, propagation="background", uid=None, grace_period_seconds=0
        )
    except StatusFailure as failure:
        return [] if failure.http_status == 404 else [f"probe pod {name} is left behind: {failure.message}"]
    except ToolFailure as failure:
        return [f"probe pod {name} may be left behind: {failure.message}"]
    return []


async def _wait_for_end(kube: Kube, kind: Kind, namespace: str, name: str, seconds: int) -> Outcome:
    started, total = time.monotonic(), seconds + START_SECONDS
    while True:
        pod = await objects.read(kube.api, kind, name, namespace)
        outcome = _outcome(pod)
        if outcome:
            return outcome
        elapsed = time.monotonic() - started
        state = _state(pod)
        if elapsed > total:
            raise _cannot_run(pod, f"did not end within {total} s ({containers.state_in_words(state)})")
        await kube.call.progress(elapsed, total, f"probe pod {name}: {containers.state_in_words(state)}")
        await asyncio.sleep(_POLL_SECONDS)


def _state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return containers.status(pod, "probe").get("state") or {}


def _outcome(pod: Mapping[str, Any]) -> Outcome | None:
    """None while it runs."""
    ended = _state(pod).get("terminated")
    phase = (pod.get("status") or {}).get("phase")
    waiting = (_state(pod).get("waiting") or {}).get("reason")
    # The phase stays Pending while an image cannot be pulled: without this the wait would use up its time.
    if waiting in workloads.IMAGE_REASONS | workloads.CONTAINER_REASONS:
        raise _cannot_run(pod, containers.state_in_words(_state(pod)))
    if phase not in ("Succeeded", "Failed"):
        return None
    if not ended or ended.get("reason") in workloads.NEVER_STARTED_REASONS:
        raise _cannot_run(pod, (ended or pod["status"]).get("message") or f"phase {phase}")
    if ended.get("exitCode") == 0:
        return Outcome(True)
    return Outcome(False, (ended.get("message") or "").strip() or f"nc ended with exit code {ended.get('exitCode')}")


def _cannot_run(pod: Mapping[str, Any], why: str) -> ToolFailure:
    image = pod["spec"]["containers"][0]["image"]
    return unavailable(
        f"the probe pod could not run: {why}",
        f"use mode=proxy, or set --probe-image (KMCP_PROBE_IMAGE) to an image with nc instead of {image}",
        backend=BACKEND,
    )
