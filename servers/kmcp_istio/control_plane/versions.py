"""Versions of the control plane, of the proxies and of istioctl, and whether they match."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio import istioctl
from kmcp_istio.client import Mesh
from kmcp_istio.control_plane import istiod
from kmcp_istio.control_plane.istiod import Istiod
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.portforward import PodAnswer

_OK = 200
_PRINTED = re.compile(r"(?P<version>.+?)-[0-9A-Za-z]+(?:-dirty)?-[0-9A-Za-z]+")
"""`1.31.0-<git revision>-Clean`, as the monitoring port prints it."""


class ControlPlane(BaseModel):
    """One istiod."""

    pod: str
    revision: str
    version: str


class DataPlane(BaseModel):
    """The proxies of one version."""

    version: str
    proxies: int = Field(description="How many are connected")


async def read_versions(mesh: Mesh, istiods: Sequence[Istiod]) -> list[ControlPlane]:
    """The versions of those that answer; fails only when none does."""
    answers = await istiod.ask_all(mesh, istiods, "/version", _version)
    return [ControlPlane(pod=one.pod, revision=one.revision, version=version) for one, version in answers.given]


def _version(answer: PodAnswer, one: Istiod) -> str:
    """The version in an answer of `/version`, which is JSON or plain text."""
    if answer.status != _OK:
        return str(istiod.read_json(answer, one))
    said = answer.content.decode(errors="replace").strip()
    try:
        document: Mapping[str, Any] = json.loads(said)
        # istiod answers like `istioctl version`, with or without the wrapping object, depending on its version.
        return str((document.get("clientVersion") or document)["version"])
    except (ValueError, KeyError, TypeError, AttributeError):
        found = _PRINTED.fullmatch(said)
        return found["version"] if found else said


def of_proxies(proxies: Iterable[Mapping[str, Any]]) -> list[DataPlane]:
    versions = [str(proxy.get("istio_version") or "unknown") for proxy in proxies]
    return [DataPlane(version=each, proxies=versions.count(each)) for each in sorted(set(versions))]


def mismatch(binary: str | None, control_planes: Iterable[ControlPlane]) -> list[str]:
    """A warning for each version of istiod whose minor version is not that of istioctl."""
    others = sorted({each.version for each in control_planes})
    own = istioctl.minor(binary or "")
    return [
        f"istioctl is {binary} and istiod is {each}: use an istioctl of the same minor version"
        for each in others
        # Patch releases of one minor version work with each other.
        if own and istioctl.minor(each) not in (None, own)
    ]


async def check_versions(mesh: Mesh, revision: str | None) -> list[str]:
    """A warning where istioctl and the running control plane differ; none where no control plane runs."""
    binary = await istioctl.read_version(mesh)
    try:
        return mismatch(binary, await read_versions(mesh, await istiod.list_istiods(mesh, revision)))
    except ToolFailure as failure:
        # Before an installation there is no istiod to compare with.
        if failure.code in ("unavailable", "not_found"):
            return []
        return [f"could not compare the versions of istioctl and istiod: {failure.message}"]
