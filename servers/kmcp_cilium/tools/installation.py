"""Installing, upgrading and uninstalling Cilium, as a release of its chart."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from kmcp_cilium.arguments import ClusterName
from kmcp_cilium.chart import modes, releases
from kmcp_cilium.chart.modes import Mode
from kmcp_cilium.chart.releases import ReleaseChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import chart_tool
from kmcp_cilium.policy import policy_objects, validation
from kmcp_runtime import (
    DOCUMENT,
    Body,
    DryRun,
    Effect,
    TimeoutSeconds,
    ToolFailure,
    bad_argument,
    conflict,
    live_state,
    unpublished,
)
from kmcp_runtime.helm import manifests
from kmcp_runtime.helm import releases as stored
from kmcp_runtime.helm import values as merging
from kmcp_runtime.helm.release import Release
from kmcp_runtime.kube import objects

Values = Annotated[dict[str, Any] | None, BeforeValidator(merging.read), "Override the chart's", DOCUMENT]
Version = Annotated[str | None, "Chart version; default newest"]
DatapathMode = Annotated[Mode | None, "How packets travel"]
Wait = Annotated[bool, "Until ready"]
ClusterId = Annotated[int | None, "In a mesh: 1-255", Field(ge=0, le=255)]
_GROUP = "cilium.io"
_CHART_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_WITHOUT_NETWORK = (
    "Pods lose their network, and new ones do not start, until another network is installed and they are recreated."
)


class Uninstalled(Body):
    """What was removed, or with dry_run would be."""

    cuttable = "objects"

    name: str
    namespace: str
    result: str = Field(description="What happened")
    changed: bool
    dry_run: bool | None = None
    objects: list["Gone"]
    kinds: list[str] = Field(description="CRDs that are deleted, with all their objects")
    consequences: list[str]


class Gone(BaseModel):
    """An object that was deleted."""

    kind: str
    name: str


@chart_tool(Effect.WRITE, timeout=releases.SECONDS, worst=Effect.DESTROY)
async def cilium_install_cilium(
    cilium: Cilium,
    cluster_name: ClusterName = None,
    cluster_id: ClusterId = None,
    datapath_mode: DatapathMode = None,
    version: Version = None,
    values: Values = None,
    wait: Wait = False,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> ReleaseChange:
    """Install Cilium into a cluster that has no network yet; use dry_run=true first."""
    given = values or {}
    wanted = merging.merged(given, _identity(cluster_name, cluster_id))
    if datapath_mode:
        wanted = merging.merged(wanted, modes.values_of(datapath_mode, given))
    await _refuse_occupied(cilium, wanted)
    order = await releases.plan_upgrade(
        cilium, None, wanted, version=version, dry_run=dry_run, wait=wait, timeout_seconds=timeout_seconds
    )
    try:
        after = await cilium.helm.upgrade(cilium, order)
    except ToolFailure as failure:
        return await _report_late(cilium, None, wanted, failure)
    return releases.answer(None, after, releases.differing({}, wanted), dry_run)


@chart_tool(Effect.WRITE, timeout=releases.SECONDS, worst=Effect.DESTROY)
async def cilium_upgrade_cilium(
    cilium: Cilium,
    version: Version = None,
    datapath_mode: DatapathMode = None,
    values: Values = None,
    cluster_name: Annotated[str | None, unpublished("The running cluster's")] = None,
    wait: Wait = False,
    timeout_seconds: TimeoutSeconds = 600,
    dry_run: DryRun = False,
) -> ReleaseChange:
    """Upgrade Cilium or change its values; go one minor version at a time, and use dry_run=true first."""
    before = await releases.read_release(cilium)
    given = values or {}
    _refuse_rename(before, cluster_name or releases.value_at(given, "cluster.name"))
    wanted = merging.merged(given, modes.values_of(datapath_mode, given) if datapath_mode else {})
    # The chart keeps the defaults of that version for as long as this value is set.
    if version and _minor(version) != _minor(before.chart_version):
        wanted = merging.merged(wanted, _compatible(before))
    order = await releases.plan_upgrade(
        cilium, before, wanted, version=version, dry_run=dry_run, wait=wait, timeout_seconds=timeout_seconds
    )
    # Before the upgrade: the agents of the running version are asked.
    warnings = await _check_policies(cilium)
    try:
        after = await cilium.helm.upgrade(cilium, order)
    except ToolFailure as failure:
        return await _report_late(cilium, before, wanted, failure)
    warnings += _skipped(before.chart_version, after.chart_version)
    changed = releases.differing(before.values(), wanted)
    changed += releases.differing({"version": before.chart_version}, {"version": after.chart_version})
    return releases.answer(before, after, changed, dry_run, warnings=warnings or None)


@chart_tool(Effect.DESTROY, timeout=releases.SECONDS)
async def cilium_uninstall_cilium(
    cilium: Cilium,
    keep_crds: Annotated[bool, "Keep CRDs and policies"] = True,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> Uninstalled:
    """Uninstall Cilium: pods lose their network until another is installed; dry_run=true lists what is removed."""
    release = await releases.read_release(cilium)
    kinds = {} if keep_crds else await _list_kinds(cilium)
    stored.bind(release)
    live_state.bind("kinds of Cilium", kinds)
    if not dry_run:
        await _switch_relay_off(cilium, release)
        await cilium.helm.uninstall(cilium, release.namespace, release.name, timeout_seconds=timeout_seconds)
        for kind, uid in kinds.items():
            await _delete_kind(cilium, kind, uid)
    gone = [Gone(kind=part.kind, name=part.name) for part in manifests.objects(release.manifest) if not part.kept]
    consequences = [_WITHOUT_NETWORK]
    consequences += ["Policies and all other objects of Cilium's kinds are deleted."] if kinds else []
    return Uninstalled(
        name=release.name,
        namespace=release.namespace,
        changed=not dry_run,
        dry_run=dry_run or None,
        objects=gone,
        result="would be uninstalled" if dry_run else "uninstalled",
        kinds=list(kinds),
        consequences=consequences,
    )


def _identity(name: str | None, number: int | None) -> dict[str, Any]:
    pairs = {"cluster.name": name, "cluster.id": number}
    return releases.nested({path: value for path, value in pairs.items() if value is not None})


async def _refuse_occupied(cilium: Cilium, values: Mapping[str, Any]) -> None:
    """Refuse to install where a release, agents or another network are present."""
    release, namespace = await releases.find_release(cilium), await cilium.find_namespace()
    if release is not None and release.status != "uninstalled":
        raise conflict(
            f"Cilium {release.chart_version} is already installed (release {release.name}, namespace {namespace}, "
            f"{release.status})",
            "cilium_upgrade_cilium changes its version or values",
        )
    sets = await policy_objects.list_objects(cilium, await cilium.discovery.resolve("daemonsets.apps"), None)
    places = {each["metadata"]["name"]: each["metadata"]["namespace"] for each in sets}
    if releases.NAME in places:
        raise conflict(
            f"Cilium is already running in namespace {places[releases.NAME]}, without a release in {namespace}",
            "set KMCP_CILIUM_NAMESPACE to the namespace of its release; remove it first if Helm did not install it",
        )
    # Chained, Cilium leaves addresses and interfaces to the other network.
    chained = releases.value_at(values, "cni.chainingMode") not in (None, "none")
    others = [] if chained else modes.in_the_way(places)
    if others:
        raise conflict(
            f"this cluster already has a network: {', '.join(others)}",
            "remove it first, or chain Cilium to it with values.cni.chainingMode",
        )


def _refuse_rename(before: Release, wanted: Any) -> None:
    running = releases.value_at(before.values(), "cluster.name")
    if wanted and wanted != running:
        raise bad_argument(
            f"cluster_name: the running cluster is {running!r}, which cannot be changed while it runs",
            "identities contain the name: reinstall to change it",
        )


def _compatible(before: Release) -> dict[str, Any]:
    """Values that keep the defaults of the first installed version, which upgrades between minor versions need."""
    kept = releases.value_at(before.config, "upgradeCompatibility")
    minor = _minor(before.chart_version)
    return {} if kept or minor is None else {"upgradeCompatibility": f"{minor[0]}.{minor[1]}"}


def _minor(version: str) -> tuple[int, int] | None:
    found = _CHART_VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None


def _skipped(before: str, after: str) -> list[str]:
    old, new = _minor(before), _minor(after)
    if old is None or new is None or old[0] != new[0] or 0 <= new[1] - old[1] <= 1:
        return []
    return [f"From {before} to {after} is more than one minor version: upstream supports one at a time."]


async def _check_policies(cilium: Cilium) -> list[str]:
    """Warnings about policies that are not valid, or that could not be checked."""
    try:
        verdicts = await validation.validate_policies(cilium, await cilium.find_any_agent(None))
    except ToolFailure as failure:  # An upgrade may be what brings the agents back.
        return [f"Could not check the policies: {failure.message}"]
    invalid = [each for each in verdicts if not each.valid]
    return [f"Invalid {each.kind} {each.namespace or ''}/{each.name}: {each.error}" for each in invalid]


async def _report_late(
    cilium: Cilium, before: Release | None, wanted: Mapping[str, Any], failure: ToolFailure
) -> ReleaseChange:
    """The state at the deadline where the new revision was applied; otherwise raise the failure."""
    after = await releases.find_release(cilium) if failure.code == "timed_out" else None
    if after is None or not releases.late(failure, before, after):
        raise failure
    changed = releases.differing(before.values() if before else {}, wanted)
    return releases.answer(before, after, changed, False, timed_out=True, warnings=[failure.message])


async def _switch_relay_off(cilium: Cilium, release: Release) -> None:
    """Switch off relay and UI before an uninstallation."""
    values = release.values()
    # They are in the pods' network: without agents their pods can no longer be torn down.
    running = [name for name in ("relay", "ui") if releases.value_at(values, f"hubble.{name}.enabled")]
    if running:
        off = releases.nested({f"hubble.{name}.enabled": False for name in running})
        await releases.change_values(cilium, release, off, dry_run=False)


async def _list_kinds(cilium: Cilium) -> dict[str, str]:
    """The uid of each of Cilium's CRDs, by name."""
    found = await policy_objects.list_objects(
        cilium, await cilium.discovery.resolve("customresourcedefinitions.apiextensions.k8s.io"), None
    )
    own = (each["metadata"] for each in found if each["spec"]["group"] == _GROUP)
    return dict(sorted((metadata["name"], metadata["uid"]) for metadata in own))


async def _delete_kind(cilium: Cilium, name: str, uid: str) -> None:
    kind = await cilium.discovery.resolve("customresourcedefinitions.apiextensions.k8s.io")
    await objects.delete(cilium.api, kind, name, None, propagation="background", uid=uid)
