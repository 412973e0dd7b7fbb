"""istiod: the pods of the control plane, and their debug interface, which answers callers of their loopback only."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from kmcp_istio.client import Mesh, Object
from kmcp_runtime import ToolFailure, did_you_mean, not_found, unavailable
from kmcp_runtime.kube.portforward import Door, PodAnswer, ask

REVISION = "istio.io/rev"
_APP = "app=istiod"
_MONITORING_PORT = 15014
_SECONDS = 20.0
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


@dataclass(frozen=True)
class Istiod:
    """One running pod of the control plane."""

    namespace: str
    pod: str
    revision: str
    port: int


class Unreachable(BaseModel):
    """An istiod that did not answer; the answer holds what the others said."""

    pod: str
    code: str
    message: str
    hint: str | None = None


Reading = Callable[[PodAnswer, Istiod], Any]
"""What an answer says."""


@dataclass(frozen=True)
class Answers:
    """What each istiod answered, and which did not."""

    given: Sequence[tuple[Istiod, Any]]
    unreachable: list[Unreachable]
    failures: Sequence[ToolFailure]


async def list_istiods(mesh: Mesh, revision: str | None) -> list[Istiod]:
    """Every running istiod, of one revision or of all; `unavailable` where there is none."""
    namespace = mesh.settings.istio_namespace
    pods = await mesh.listed("pods", namespace, selector=_APP, field_selector="status.phase=Running")
    if not pods:
        raise await _explain_absence(mesh, namespace)
    found = sorted((_istiod(pod) for pod in pods), key=lambda each: each.pod)
    chosen = [each for each in found if revision in (None, each.revision)]
    if not chosen:
        revisions = sorted({each.revision for each in found})
        near = did_you_mean(str(revision), revisions)
        raise not_found(f"no istiod of revision {revision!r}", near or f"revisions: {', '.join(revisions)}")
    return chosen


def _istiod(pod: Object) -> Istiod:
    metadata = pod["metadata"]
    port = (metadata.get("annotations") or {}).get("prometheus.io/port", "")
    revision = metadata["labels"].get(REVISION) or "default"
    return Istiod(metadata["namespace"], metadata["name"], revision, int(port) if port.isdigit() else _MONITORING_PORT)


async def _explain_absence(mesh: Mesh, namespace: str) -> ToolFailure:
    try:
        elsewhere = await mesh.list_labelled("pods", None, _APP)
    except ToolFailure:  # Where else it may be, this identity may not see.
        elsewhere = []
    places = sorted({pod["metadata"]["namespace"] for pod in elsewhere} - {namespace})
    if any(pod["metadata"]["namespace"] == namespace for pod in elsewhere):
        return unavailable(
            f"no istiod runs in namespace {namespace}: its pods are not in phase Running",
            f"k8s_get_resources resource_type=pods namespace={namespace} selector={_APP}",
        )
    hint = "istio_install_istio installs it"
    if places:
        hint = f"namespace {', '.join(places)} has pods with {_APP}: set ISTIO_NAMESPACE (--istio-namespace)"
    return unavailable(f"Istio is not installed in namespace {namespace}: no pod with {_APP}", hint)


def read_json(answer: PodAnswer, istiod: Istiod) -> Any:
    try:
        if answer.status == _OK:
            return json.loads(answer.content)
    except ValueError:
        pass
    told = answer.content[:200].decode(errors="replace").strip()
    raise unavailable(f"istiod {istiod.pod} answered with HTTP {answer.status}, which is not understood: {told}")


async def ask_all(mesh: Mesh, istiods: Sequence[Istiod], target: str, read: Reading = read_json) -> Answers:
    """What every istiod answers, as JSON or as `read` makes of it; a failure only when none answers."""
    answers = await ask_each(mesh, istiods, target, read)
    if not answers.given:
        raise answers.failures[0]
    return answers


async def ask_each(mesh: Mesh, istiods: Sequence[Istiod], target: str, read: Reading = read_json) -> Answers:
    """`ask_all` for where the answers of none are worth telling, too."""
    outcomes = await asyncio.gather(*(_ask_one(mesh, each, target, read) for each in istiods))
    both = list(zip(istiods, outcomes, strict=True))
    failures = [(each, found) for each, found in both if isinstance(found, ToolFailure)]
    return Answers(
        [(each, found) for each, found in both if not isinstance(found, ToolFailure)],
        [Unreachable(pod=each.pod, code=one.code, message=one.message, hint=one.hint) for each, one in failures],
        [failure for _, failure in failures],
    )


async def _ask_one(mesh: Mesh, istiod: Istiod, target: str, read: Reading) -> Any:
    try:
        return read(await read_debug(mesh, istiod, target), istiod)
    except ToolFailure as failure:
        return failure


async def read_debug(mesh: Mesh, istiod: Istiod, target: str) -> PodAnswer:
    """One answer of the debug interface; `unavailable` when it is off or refuses, with the setting that does so."""
    answer = await ask(mesh.api, Door(istiod.namespace, istiod.pod, istiod.port), target, seconds=_SECONDS)
    if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
        raise unavailable(
            f"istiod {istiod.pod} refuses {target} (HTTP {answer.status}): its debug interface demands credentials",
            "it answers its loopback without them: is another server on its monitoring port? Else set "
            "ENABLE_DEBUG_ENDPOINT_AUTH=false for istiod",
        )
    if answer.status == _NOT_FOUND and _is_missing_page(answer):
        raise unavailable(
            f"istiod {istiod.pod} has no {target.partition('?')[0]}: its debug interface is off",
            "set ENABLE_DEBUG_ON_HTTP=true for istiod",
        )
    return answer


def _is_missing_page(answer: PodAnswer) -> bool:
    """Whether there is no such page at all; a page may answer 404 itself, in words of its own."""
    return answer.content.strip() in (b"", b"404 page not found")
