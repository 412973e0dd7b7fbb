"""Installing, upgrading and rolling back releases with the helm binary."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from kmcp_helm import states
from kmcp_helm.arguments import (
    WRITES,
    ChartReference,
    EarlierRevision,
    ReleaseName,
    Set,
    TimeoutSeconds,
    Values,
    Version,
    Wait,
)
from kmcp_helm.client import Client
from kmcp_helm.shapes import ChangedObject, changed
from kmcp_runtime import Body, DryRun, Effect, Namespace, OptionalNamespace, ToolFailure, redaction, tool
from kmcp_runtime.helm import manifests
from kmcp_runtime.helm import values as merging
from kmcp_runtime.helm.client import Upgrade, ValuesMode
from kmcp_runtime.helm.manifests import Difference, Text
from kmcp_runtime.helm.release import Release
from kmcp_runtime.judging import foresee

_BEFORE = re.compile(r"pre-\w+ hooks? failed|failed pre-")


class Upgraded(Body):
    """The new revision, or the one that would be."""

    cuttable = "manifest"

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    chart_version: str
    app_version: str | None = None
    result: str = Field(description="What happened, in a word")
    changed: bool
    changes: list[ChangedObject] = Field(description="Objects that differ from the revision before")
    timed_out: bool | None = Field(default=None, description="True when it was not ready in time")
    not_ready: list[str] | None = Field(default=None, description="What was not ready, and why")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    diff: Difference | None = Field(default=None, description="Unified diff of the manifests, secrets redacted")
    notes: str | None = None
    manifest: Text | None = Field(default=None, description="Dry run: the manifest, secrets redacted")


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=WRITES,
    restores=("values", "set"),
    why="helm 3 and the cluster are real; of helm 4 the tests only check the flags that it is given",
)
async def helm_upgrade(
    client: Client,
    name: ReleaseName,
    chart: ChartReference,
    namespace: OptionalNamespace = None,
    version: Version = None,
    values: Values = None,
    set: Set = None,
    values_mode: Annotated[ValuesMode, "Earlier values"] = "default",
    install: Annotated[bool, "If absent"] = False,
    create_namespace: Annotated[bool, "If absent"] = False,
    atomic: Annotated[bool, "Roll back on failure"] = False,
    wait: Wait = False,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> Upgraded:
    """Upgrade a release, or install it (install=true)."""
    namespace = client.cluster.namespace(namespace)
    before = await states.check_before_upgrade(client.releases, namespace, name, install)
    # Only helm knows how helm reads `--set`: lists, nulls, escapes, which words are booleans or numbers.
    as_text, pairs = (set, {}) if isinstance(set, str) else ("", set or {})
    redaction.refuse_marks({"set": as_text})
    # What an answer showed of the release comes back as it is in the release: as given, or with the chart's own values.
    given = redaction.restore(merging.with_set(values or {}, pairs), before and before.values(), "values")
    wanted = Upgrade(
        name=name,
        namespace=namespace,
        chart=chart,
        version=version,
        values=given,
        set_text=as_text,
        values_mode=values_mode,
        install=install,
        create_namespace=create_namespace,
        atomic=atomic,
        wait=wait,
        timeout_seconds=timeout_seconds,
        dry_run=dry_run,
    )
    return await _upgrade(client, before, wanted)


async def _upgrade(client: Client, before: Release | None, wanted: Upgrade) -> Upgraded:
    """Helm's answer; when its wait timed out, the state so far, which helm leaves in place."""
    try:
        after = await client.helm.upgrade(client.cluster, wanted)
    except ToolFailure as failure:
        # With atomic, helm has undone the change by now, and a hook that runs before it has kept it from being made:
        # there is no state to report.
        undone = wanted.atomic or _BEFORE.search(failure.message) is not None
        if failure.code != "timed_out" or undone or wanted.dry_run:
            raise
        return await _read_late_state(client, wanted.namespace, wanted.name, before, failure)
    return _upgraded(before, after, wanted.dry_run)


def _upgraded(before: Release | None, after: Release, dry_run: bool, **more: Any) -> Upgraded:
    found = manifests.changes(before.manifest if before else "", after.manifest)
    # Helm calls a dry run pending; the release itself is still in the state that it was in.
    unchanged = before.status if before else "not installed"
    return Upgraded(
        name=after.name,
        namespace=after.namespace,
        revision=after.revision,
        status=unchanged if dry_run else after.status,
        chart=after.chart_name,
        chart_version=after.chart_version,
        app_version=after.app_version or None,
        result=f"{'would be ' if dry_run else ''}{'upgraded' if before else 'installed'}",
        changed=True,
        changes=changed(found),
        dry_run=dry_run or None,
        notes=after.notes or None,
        diff=Difference(found) if dry_run and before else None,
        manifest=Text(after.manifest) if dry_run else None,
        warnings=list(after.warnings),
        **more,
    )


async def _read_late_state(
    client: Client, namespace: str, name: str, before: Release | None, failure: ToolFailure
) -> Upgraded:
    """The state at the deadline: what was applied stays, the revision is marked as failed."""
    after = await client.releases.find(namespace, name)
    # No new revision: helm failed before it changed anything.
    if after is None or (before is not None and after.revision == before.revision):
        raise failure
    hint = f"Revision {after.revision} is applied and marked {after.status}: "
    hint += "correct the values and upgrade again, or use helm_rollback"
    after = replace(after, warnings=[*after.warnings, failure.message])
    not_ready: Sequence[str] = failure.details.get("not_ready") or ()
    return _upgraded(before, after, False, timed_out=True, not_ready=list(not_ready) or None, hint=hint)


class RolledBack(Body):
    """What a rollback changed, or would change."""

    cuttable = "diff"

    name: str
    namespace: str
    from_revision: int = Field(alias="from")
    to_revision: int = Field(alias="to")
    revision: int | None = Field(default=None, description="The new one, a copy of `to`")
    status: str
    changed: bool
    changes: list[ChangedObject]
    timed_out: bool | None = Field(default=None, description="True when it was not ready in time")
    not_ready: list[str] | None = Field(default=None, description="What was not ready, and why")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    diff: Difference | None = Field(default=None, description="Unified diff of the manifests, secrets redacted")


@tool(Effect.WRITE, worst=Effect.DESTROY, needs=WRITES, extra=True)
async def helm_rollback(
    client: Client,
    name: ReleaseName,
    namespace: Namespace,
    revision: EarlierRevision = 0,
    wait: Wait = False,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> RolledBack:
    """Roll back to an earlier revision, even from a pending state."""
    plan = await states.plan_rollback(client.releases, namespace, name, revision)
    if dry_run:
        foresee(await client.helm.judge_rollback(client.cluster, namespace, name, plan.target.revision))
    done = {} if dry_run else await _roll_back(client, plan, wait, timeout_seconds)
    found = manifests.changes(plan.now.manifest, plan.target.manifest)
    return RolledBack.model_validate(
        {
            "name": name,
            "namespace": namespace,
            "from": plan.now.revision,
            "to": plan.target.revision,
            "status": plan.now.status,
            "changed": True,
            "changes": changed(found),
            "dry_run": dry_run or None,
            "diff": Difference(found) if dry_run else None,
            **done,
            "warnings": [*plan.warnings, *done.get("warnings", ())],
        }
    )


async def _roll_back(client: Client, plan: states.Rollback, wait: bool, seconds: int) -> dict[str, Any]:
    """The outcome; at the deadline, the state so far."""
    namespace, name, revision = plan.now.namespace, plan.now.name, plan.target.revision
    about: dict[str, Any] = {}
    try:
        about["warnings"] = await client.helm.rollback(
            client.cluster, namespace, name, revision, wait=wait, timeout_seconds=seconds
        )
    except ToolFailure as failure:
        if failure.code != "timed_out":
            raise
        about = {"timed_out": True, "not_ready": failure.details.get("not_ready"), "warnings": [failure.message]}
    # helm rollback prints no release, so the new revision is read from the cluster.
    after = await client.releases.read_head(namespace, name)
    return {**about, "status": after.status, "revision": after.revision}
