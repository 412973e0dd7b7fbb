"""The Helm release of Cilium: reading it, and changing its values."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.client import Cilium
from kmcp_runtime import Body, ToolFailure, conflict, read_yaml, unavailable
from kmcp_runtime.helm import manifests
from kmcp_runtime.helm.client import Upgrade, ValuesMode
from kmcp_runtime.helm.manifests import Difference, How
from kmcp_runtime.helm.release import Release

NAME = "cilium"
SECONDS = 150.0
"""Deadline of tools that change a release without waiting for its pods."""
HELM_SECONDS = 120
_MOST_OBJECTS = 60


class ChangedValue(BaseModel):
    """A value of the chart before and after."""

    path: str
    before: Any = None
    after: Any = None


class ChangedObject(BaseModel):
    """An object that differs from the previous revision."""

    kind: str
    name: str
    change: How


class ReleaseChange(Body):
    """A new revision of the release, or with dry_run the one that would be made."""

    cuttable = "objects"

    name: str = NAME
    namespace: str
    revision: int
    status: str
    chart_version: str
    app_version: str | None = None
    result: str = Field(description="What happened")
    changed: bool
    values: list[ChangedValue] = Field(description="Values that changed")
    objects: list[ChangedObject] = Field(description="Objects that differ from the previous revision")
    restarts_agents: bool | None = Field(default=None, description="True when the agents' pods change")
    timed_out: bool | None = Field(default=None, description="True when it was not ready in time")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    diff: Difference | None = Field(default=None, description="Dry run: unified diff, secrets redacted")


async def find_release(cilium: Cilium) -> Release | None:
    """The release; None when Cilium was not installed with Helm here."""
    namespace = await cilium.find_namespace()
    return await cilium.helm.releases(cilium).find(namespace, NAME)


async def read_release(cilium: Cilium) -> Release:
    """The release; `unavailable` when Cilium was not installed with Helm."""
    release = await find_release(cilium)
    if release is None or release.status == "uninstalled":
        raise unavailable(
            f"no release {NAME} in namespace {await cilium.find_namespace()}: Cilium was not installed with Helm there",
            "cilium_install_cilium installs it; set KMCP_CILIUM_NAMESPACE if it is elsewhere",
        )
    return release


async def change_values(cilium: Cilium, release: Release, values: Mapping[str, Any], dry_run: bool) -> ReleaseChange:
    """Upgrade to the same chart with some values changed; without a change nothing is run."""
    changed = differing(release.values(), values)
    # An upgrade without a change would still make a revision, and may restart agents whose certificates Helm
    # generates.
    if not changed:
        return _unchanged(release, dry_run)
    wanted = await plan_upgrade(cilium, release, values, version=await _keep_version(cilium, release), dry_run=dry_run)
    return answer(release, await cilium.helm.upgrade(cilium, wanted), changed, dry_run)


async def plan_upgrade(
    cilium: Cilium,
    before: Release | None,
    values: Mapping[str, Any],
    *,
    version: str | None,
    dry_run: bool,
    wait: bool = False,
    timeout_seconds: int = HELM_SECONDS,
) -> Upgrade:
    """An upgrade that keeps the values set before, or an installation where there is no release."""
    # New defaults of a newer chart must apply, under the values that someone has set.
    mode: ValuesMode = "reset_then_reuse" if before else "default"
    return Upgrade(
        name=NAME,
        namespace=await cilium.find_namespace(),
        chart=cilium.settings.cilium_chart,
        version=version,
        values=values,
        values_mode=mode,
        install=before is None,
        wait=wait,
        timeout_seconds=timeout_seconds,
        dry_run=dry_run,
    )


def answer(
    before: Release | None, after: Release, changed: list[ChangedValue], dry_run: bool, **more: Any
) -> ReleaseChange:
    differences = manifests.changes(before.manifest if before else "", after.manifest)
    objects = [ChangedObject(kind=each.part.kind, name=each.part.name, change=each.how) for each in differences]
    done = "upgraded" if before else "installed"
    return ReleaseChange(
        **_description(after),
        result=f"would be {done}" if dry_run else done,
        changed=not dry_run,
        values=changed,
        objects=objects[:_MOST_OBJECTS],
        # The chart has about as many objects; more are rarely of interest.
        truncated=len(objects) > _MOST_OBJECTS,
        # The pods of the agents are those of this one DaemonSet; its template has changed with the object.
        restarts_agents=any(each.kind == "DaemonSet" and each.name == NAME for each in objects),
        dry_run=dry_run or None,
        diff=Difference(differences) if dry_run and before else None,
        **more,
    )


def _unchanged(release: Release, dry_run: bool) -> ReleaseChange:
    return ReleaseChange(
        **_description(release), result="unchanged", changed=False, values=[], objects=[], dry_run=dry_run or None
    )


def _description(release: Release) -> dict[str, Any]:
    return {
        "namespace": release.namespace,
        "revision": release.revision,
        "status": release.status,
        "chart_version": release.chart_version,
        "app_version": release.app_version or None,
    }


async def _keep_version(cilium: Cilium, release: Release) -> str | None:
    """The version to request so that only values change; a local chart must have that version."""
    chart = await cilium.helm.charts.resolve(cilium.call, cilium.settings.cilium_chart, None)
    # A repository has every version, a folder only its own.
    if not chart.local:
        return release.chart_version
    there = str((read_yaml(await cilium.helm.show(cilium.call, chart, "chart")) or {}).get("version"))
    if there != release.chart_version:
        raise conflict(
            f"the release runs chart {release.chart_version}, and the chart at {cilium.settings.cilium_chart} is "
            f"{there}: changing values would also change the version",
            "cilium_upgrade_cilium changes the version; KMCP_CILIUM_CHART names the chart",
        )
    return None


def differing(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[ChangedValue]:
    """The wanted values that differ from the present ones, by path."""
    return [
        ChangedValue(path=path, before=old, after=new)
        for path, new in _leaves(wanted)
        if (old := value_at(before, path)) != new
    ]


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where a step is missing."""
    node: Any = values
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted path, as the nested map that Helm takes."""
    result: dict[str, Any] = {}
    for path, value in values.items():
        *steps, last = path.split(".")
        node = result
        for step in steps:
            node = node.setdefault(step, {})
        node[last] = value
    return result


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        # An empty map is a value of its own: it clears what was set.
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def late(failure: ToolFailure, before: Release | None, after: Release | None) -> bool:
    """Whether a deadline passed after the new revision was applied, so that the state so far is the answer."""
    if failure.code != "timed_out" or after is None:
        return False
    return before is None or after.revision != before.revision
