"""Applying and creating the objects of manifests."""

import hashlib
from typing import Annotated

from pydantic import Field

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.rollout.following import RolloutState, WaitSeconds, follow_all
from kmcp_kubernetes.writing.batch import Batch, Written, named
from kmcp_runtime import DOCUMENT, Diff, DryRun, Effect, OptionalNamespace, Page, Rule, listed, tool
from kmcp_runtime.kube.manifests import parse
from kmcp_runtime.kube.objects import FIELD_MANAGER
from kmcp_runtime.worker import run_in_thread

LARGEST_REMOTE = 1 << 20
Text = Annotated[str, "YAML or JSON, many documents", DOCUMENT]
_CREATE = (Rule("*", ("*",), ("create",)),)


class WrittenManifest(Page[Written]):
    """What happened to each document."""

    changed: bool
    diffs: dict[str, Diff] | None = Field(default=None, description="Of more than ten documents: what changed")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


class AppliedManifest(WrittenManifest):
    """What server-side apply did to each document."""

    field_manager: str
    rollouts: dict[str, RolloutState] | None = Field(default=None, description="Of workloads and pods, after a wait")


class FetchedManifest(WrittenManifest):
    """What was created of a manifest that was read from a URL."""

    source: str
    sha256: str


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(Rule("*", ("*",), ("get", "patch", "create")),),
    timeout=120,
    idempotent=True,
    restores=("manifest",),
)
async def k8s_apply_manifest(
    kube: Kube,
    manifest: Text,
    namespace: OptionalNamespace = None,
    force: Annotated[bool, "Take over fields that other managers own"] = False,
    wait_seconds: WaitSeconds = 0,
    dry_run: DryRun = False,
) -> AppliedManifest:
    """Create or update objects by server-side apply; the way to change what a manifest describes."""
    batch = Batch(kube, named(await run_in_thread(parse, manifest), "manifest"), namespace, dry_run)
    await batch.apply(force)
    return AppliedManifest(
        items=batch.items,
        changed=batch.changed,
        diffs=batch.diffs,
        warnings=batch.warnings,
        dry_run=dry_run or None,
        field_manager=FIELD_MANAGER,
        rollouts=await follow_all(kube, batch.written_places, wait_seconds, dry_run),
        hint=_failures(batch),
    )


@tool(Effect.WRITE, worst=Effect.DESTROY, needs=_CREATE, timeout=120)
async def k8s_create_resource(
    kube: Kube, yaml_content: Text, namespace: OptionalNamespace = None, dry_run: DryRun = False
) -> WrittenManifest:
    """Create objects that must not exist yet; stops at the first failure."""
    batch = Batch(kube, await run_in_thread(parse, yaml_content, "yaml_content"), namespace, dry_run, "yaml_content")
    await batch.create()
    return WrittenManifest(
        items=batch.items,
        changed=batch.changed,
        diffs=batch.diffs,
        warnings=batch.warnings,
        dry_run=dry_run or None,
        hint=_stopped(batch),
    )


@tool(Effect.WRITE, worst=Effect.DESTROY, needs=_CREATE, timeout=120)
async def k8s_create_resource_from_url(
    kube: Kube,
    url: Annotated[str, "https, on an allowed host"],
    namespace: OptionalNamespace = None,
    dry_run: DryRun = False,
) -> FetchedManifest:
    """Create the objects of a manifest from the web; only from hosts that the server allows."""
    hosts = listed(kube.settings.manifest_hosts)
    text = await kube.web.fetch_text(url, hosts, LARGEST_REMOTE, setting="--manifest-hosts (KMCP_MANIFEST_HOSTS)")
    batch = Batch(kube, await run_in_thread(parse, text, "url"), namespace, dry_run, "url")
    await batch.create()
    return FetchedManifest(
        items=batch.items,
        changed=batch.changed,
        diffs=batch.diffs,
        warnings=batch.warnings,
        dry_run=dry_run or None,
        hint=_stopped(batch),
        source=url,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _failures(batch: Batch) -> str | None:
    failed = [item for item in batch.items if item.result == "failed"]
    if failed:
        return f"{len(failed)} of {len(batch.items)} documents failed; the others were applied."
    return _defaults(batch)


def _defaults(batch: Batch) -> str | None:
    shown = any(item.diff for item in batch.items) and batch.added and not batch.dry_run
    return "Defaults of the API server are left out of the diff: k8s_get_resource_yaml shows them." if shown else None


def _stopped(batch: Batch) -> str | None:
    if batch.items[-1].result != "failed":
        return _defaults(batch)
    left = len(batch.documents) - len(batch.items)
    return f"Stopped at the first failure: {left} later documents were not tried; those listed as created exist."
