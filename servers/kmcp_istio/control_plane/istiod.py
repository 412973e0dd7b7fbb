"""istiod: the pods of the control plane and their debug interface."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from kmcp_istio.client import Mesh, Object
from kmcp_runtime import Page, ToolFailure, did_you_mean, not_found, unavailable
from kmcp_runtime import read_json as json_of
from kmcp_runtime.kube.portforward import Door, PodAnswer, ask
from kmcp_runtime.looks import Looked

Item = TypeVar("Item")
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
    """An istiod that did not answer, beside the answers of the others."""

    pod: str
    code: str
    message: str
    hint: str | None = None


class AskedPage(Page[Item], Generic[Item]):
    """A list with contributions from several istiods."""

    unreachable: list[Unreachable] | None = Field(default=None, description="Each istiod that did not answer")

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if self.unreachable:  # What they have nobody has counted.
            self.total = None


Reading = Callable[[PodAnswer, Istiod], Any]
"""Turns an answer of one istiod into a value."""


@dataclass(frozen=True)
class Answers:
    """What each istiod answered, and which ones did not answer."""

    given: Sequence[tuple[Istiod, Any]]
    unreachable: list[Unreachable]
    failures: Sequence[ToolFailure]


async def list_istiods(mesh: Mesh, revision: str | None) -> list[Istiod]:
    """Every running istiod, of one revision or of all; `unavailable` where none is running."""
    namespace = mesh.settings.istio_namespace
    # Pods rather than the Service: every istiod knows only the proxies that are connected to it.
    pods = await mesh.list_objects("pods", namespace, selector=_APP, field_selector="status.phase=Running")
    if not pods:
        raise await _explain_absence(mesh, namespace)
    found = sorted((_istiod(pod) for pod in pods), key=lambda each: each.pod)
    chosen = [each for each in found if revision in (None, each.revision)]
    if not chosen:
        revisions = sorted({each.revision for each in found})
        near = did_you_mean(str(revision), revisions)
        raise not_found(f"no istiod of revision {revision!r} is running", near or f"revisions: {', '.join(revisions)}")
    return chosen


def _istiod(pod: Object) -> Istiod:
    metadata = pod["metadata"]
    # The monitoring port can be configured, and the annotation for Prometheus names the one in use.
    port = (metadata.get("annotations") or {}).get("prometheus.io/port", "")
    # An installation without a revision carries the label with the value default, older ones not at all.
    revision = metadata["labels"].get(REVISION) or "default"
    return Istiod(metadata["namespace"], metadata["name"], revision, int(port) if port.isdigit() else _MONITORING_PORT)


async def _explain_absence(mesh: Mesh, namespace: str) -> ToolFailure:
    try:
        elsewhere = await mesh.list_labelled("pods", None, _APP)
    except ToolFailure:  # This identity may not look in other namespaces.
        elsewhere = Looked()
    places = sorted({pod["metadata"]["namespace"] for pod in elsewhere} - {namespace})
    if any(pod["metadata"]["namespace"] == namespace for pod in elsewhere):
        return unavailable(
            f"no istiod is running in namespace {namespace}: its pods are not in phase Running",
            f"k8s_get_resources resource_type=pods namespace={namespace} selector={_APP}",
        )
    hint = "istio_install_istio installs it"
    if places:
        hint = f"namespace {', '.join(places)} has pods with {_APP}: set ISTIO_NAMESPACE (--istio-namespace)"
    return unavailable(f"Istio is not installed in namespace {namespace}: no pod with {_APP}", hint)


def read_json(answer: PodAnswer, istiod: Istiod) -> Any:
    try:
        if answer.status == _OK:
            return json_of(answer.content)
    except ValueError:
        pass
    said = answer.content[:200].decode(errors="replace").strip()
    raise unavailable(f"istiod {istiod.pod} answered with HTTP {answer.status}, which cannot be read: {said}")


async def ask_all(mesh: Mesh, istiods: Sequence[Istiod], target: str, read: Reading = read_json) -> Answers:
    """What every istiod answers, as `read` reads it; fails only when none answers."""
    answers = await ask_each(mesh, istiods, target, read)
    if not answers.given:
        raise answers.failures[0]
    return answers


async def ask_each(mesh: Mesh, istiods: Sequence[Istiod], target: str, read: Reading = read_json) -> Answers:
    """`ask_all` that does not fail when none answers."""
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
    """One answer of the debug interface; the `unavailable` of one that is off or refuses names the setting."""
    # Through a port-forward, so that istiod sees its loopback: every other caller must authenticate
    # (pilot/pkg/xds/debug.go, allowAuthenticatedOrLocalhost).
    answer = await ask(mesh.api, Door(istiod.namespace, istiod.pod, istiod.port), target, seconds=_SECONDS)
    if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
        raise unavailable(
            f"istiod {istiod.pod} refuses {target} (HTTP {answer.status}): its debug interface requires credentials",
            "requests from its own loopback need none: check that no other server has its monitoring port, or set "
            "ENABLE_DEBUG_ENDPOINT_AUTH=false for istiod",
        )
    if answer.status == _NOT_FOUND and _is_missing_page(answer):
        raise unavailable(
            f"istiod {istiod.pod} has no {target.partition('?')[0]}: its debug interface is off",
            "set ENABLE_DEBUG_ON_HTTP=true for istiod",
        )
    return answer


def _is_missing_page(answer: PodAnswer) -> bool:
    """Whether there is no such page, as opposed to a page that answers 404 with a message of its own."""
    # What Go's ServeMux writes for an unknown path.
    return answer.content.strip() in (b"", b"404 page not found")
