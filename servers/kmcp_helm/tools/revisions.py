"""Revisions of a release: one of them in its parts, and their history. Read from the cluster without the binary."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_helm.arguments import READS, ReleaseName, Revision
from kmcp_helm.client import Client
from kmcp_helm.shapes import Object, objects_of
from kmcp_runtime import Body, Cursor, Effect, Limit, Namespace, Page, Rendered, Rest, cursors, tool
from kmcp_runtime.helm import manifests, payload
from kmcp_runtime.helm.release import Release

Part = Literal["all", "values", "values_all", "manifest", "hooks", "notes", "metadata"]


class Hook(BaseModel):
    """An object that Helm creates at an event of the release."""

    name: str
    kind: str
    events: list[str]
    weight: int | None = None
    delete_policies: list[str] | None = None
    last_run: str | None = Field(default=None, description="Phase of its last run")


class ReleaseParts(Body):
    """One revision of a release, with the parts that were asked for."""

    cuttable = "manifest"

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    chart_version: str
    app_version: str | None = None
    first_deployed: str | None = None
    updated: str | None = None
    description: str | None = None
    apply_method: str | None = Field(default=None, description="Helm 4 only: ssa or csa")
    values: dict[str, Any] | None = Field(default=None, description="Given values, secrets redacted")
    values_all: dict[str, Any] | None = Field(default=None, description="Given values merged into the chart's own")
    objects: list[Object] | None = None
    hooks: list[Hook] | None = None
    notes: str | None = None
    manifest: Rendered | None = Field(
        default=None, description="As rendered, secrets redacted; for part=hooks, the hooks"
    )


@tool(Effect.READ, needs=READS)
async def helm_get_release(
    client: Client,
    name: ReleaseName,
    namespace: Namespace,
    resource: Annotated[Part, "Part"] = "all",
    revision: Revision = 0,
    cursor: Cursor = None,
) -> ReleaseParts:
    """Show the values, manifest, hooks or notes of a release."""
    release = await client.releases.read_current(namespace, name, revision)
    bound_to = {
        "context": client.cluster.context.name,
        "namespace": namespace,
        "name": name,
        "resource": resource,
        "revision": release.revision,
    }
    skipped = int(cursors.decode(cursor, bound_to).get("l", 0)) if cursor else 0
    result = ReleaseParts(
        name=release.name,
        namespace=release.namespace,
        revision=release.revision,
        status=release.status,
        chart=release.chart_name,
        chart_version=release.chart_version,
        app_version=release.app_version or None,
        updated=release.last_deployed or None,
        description=release.description or None,
        # A later page continues the manifest and repeats no other part.
        **({} if cursor else _parts(release, resource)),
        manifest=_text(release, resource, skipped),
    )
    return result.continues_at(lambda kept: cursors.encode({"l": skipped + kept}, bound_to))


def _parts(release: Release, resource: Part) -> dict[str, Any]:
    """The parts that were asked for, without the manifest."""
    found: dict[str, Any] = {}
    if resource in ("all", "metadata"):
        found |= {"first_deployed": release.first_deployed or None, "apply_method": release.apply_method or None}
    if resource in ("all", "values"):
        found["values"] = dict(release.config)
    if resource == "values_all":
        found["values_all"] = release.values()
    if resource in ("all", "manifest"):
        found["objects"] = objects_of(release.manifest)
    if resource in ("all", "hooks"):
        found["hooks"] = [_hook(hook) for hook in release.hooks]
    if resource in ("all", "notes"):
        found["notes"] = release.notes
    return found


def _text(release: Release, resource: Part, skipped: int) -> Rendered | None:
    if resource == "hooks":
        # Helm keeps hooks apart from the manifest; this is how `helm get hooks` writes them.
        text = "\n".join(f"---\n# Source: {hook.get('path')}\n{hook.get('manifest')}" for hook in release.hooks)
        return Rest(manifests.Text(text), skipped)
    return Rest(manifests.Text(release.manifest), skipped) if resource in ("all", "manifest") else None


def _hook(body: Any) -> Hook:
    return Hook(
        name=str(body.get("name", "")),
        kind=str(body.get("kind", "")),
        events=list(body.get("events") or ()),
        weight=body.get("weight"),
        delete_policies=body.get("delete_policies"),
        last_run=(body.get("last_run") or {}).get("phase") or None,
    )


class PastRevision(BaseModel):
    """A revision of a release."""

    revision: int
    updated: str | None = None
    status: str
    chart_version: str | None = None
    app_version: str | None = None
    description: str | None = None
    error: str | None = Field(default=None, description="Why its data cannot be read")


class History(Page[PastRevision]):
    """Revisions, the newest first."""

    name: str
    namespace: str
    chart: str | None = None


@tool(Effect.READ, needs=READS, extra=True, shows="revisions")
async def helm_history(client: Client, name: ReleaseName, namespace: Namespace, limit: Limit = 20) -> History:
    """List a release's revisions, newest first, and what each did."""
    heads = await client.releases.list_revisions(namespace, name)
    items, charts = [], []
    for head in heads[:limit]:
        try:
            release = await client.releases.read(head)
        except payload.Undecodable as error:
            items.append(PastRevision(revision=head.revision, status=head.status, error=str(error)))
            continue
        charts.append(release.chart_name)
        items.append(_past(release))
    return History(
        items=items,
        name=name,
        namespace=namespace,
        chart=charts[0] if charts else None,
        total=len(heads),
        truncated=len(heads) > limit,
        hint="Older ones exist: raise limit." if len(heads) > limit else None,
    )


def _past(release: Release) -> PastRevision:
    return PastRevision(
        revision=release.revision,
        updated=release.last_deployed,
        status=release.status,
        chart_version=release.chart_version,
        app_version=release.app_version,
        description=release.description,
    )
