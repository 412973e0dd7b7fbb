"""Revisions of a release: one of them in its parts, and their history. Read from the cluster without the binary."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_helm.arguments import READS, ReleaseName, Revision
from kmcp_helm.client import Client
from kmcp_helm.shapes import Object, objects_of
from kmcp_runtime import (
    Beginning,
    Body,
    Cursor,
    Effect,
    Limit,
    Namespace,
    Page,
    Rendered,
    Rest,
    Tree,
    bad_argument,
    cursors,
    tool,
)
from kmcp_runtime.helm import manifests, payload, values
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
    values: Tree | None = Field(default=None, description="Given values, secrets redacted")
    values_all: Tree | None = Field(default=None, description="Given values merged into the chart's own")
    first: Beginning | None = Field(default=None, description="Later pages: path of the first value")
    objects: list[Object] | None = None
    hooks: list[Hook] | None = None
    notes: str | None = None
    manifest: Rendered | None = Field(
        default=None, description="As rendered, secrets redacted; for part=hooks, the hooks"
    )


class GivenValues(ReleaseParts):
    """The values that were given."""

    cuttable = "values"


class AllValues(ReleaseParts):
    """The values that the templates used."""

    cuttable = "values_all"


_SHAPES: Mapping[str, type[ReleaseParts]] = {"values": GivenValues, "values_all": AllValues}


@tool(Effect.READ, needs=READS)
async def helm_get_release(
    client: Client,
    name: ReleaseName,
    namespace: Namespace,
    resource: Annotated[Part, "Part"] = "all",
    revision: Revision = 0,
    path: Annotated[str | None, "Values below a.b[0]"] = None,
    cursor: Cursor = None,
) -> ReleaseParts:
    """Show the values, manifest, hooks or notes of a release."""
    if path and resource not in _SHAPES:
        raise bad_argument(f"path: it does not narrow {resource}", "resource=values and values_all take it")
    below = values.steps(path, "path") if path else []
    release = await client.releases.read_current(namespace, name, revision)
    bound_to = {
        "context": client.cluster.context.name,
        "namespace": namespace,
        "name": name,
        "resource": resource,
        "revision": release.revision,
        "path": below,
    }
    skipped = cursors.decode(cursor, bound_to, l=cursors.COUNT).get("l", 0) if cursor else 0
    shown = _shown(release, resource, path or "", below, skipped)
    result = _SHAPES.get(resource, ReleaseParts)(
        name=release.name,
        namespace=release.namespace,
        revision=release.revision,
        status=release.status,
        chart=release.chart_name,
        chart_version=release.chart_version,
        app_version=release.app_version or None,
        updated=release.last_deployed or None,
        description=release.description or None,
        **shown,
    )
    if resource in _SHAPES:
        # What is copied into an upgrade must keep its types: `[z]` is no text, "1" no number.
        result = result.written_as("yaml")
    return result.continues_at(lambda kept: cursors.encode({"l": skipped + kept}, bound_to))


def _shown(release: Release, resource: Part, path: str, below: Sequence[str | int], skipped: int) -> dict[str, Any]:
    """The fields of one page: what was asked for, from where the page before it ended."""
    if resource in _SHAPES:
        given = release.values() if resource == "values_all" else release.config
        values.check_path(given, path, below)
        tree = Tree(given, below, skipped)
        return {resource: tree, "first": Beginning(tree) if skipped else None}
    # A later page continues the manifest and repeats no other part.
    return {**({} if skipped else _parts(release, resource)), "manifest": _text(release, resource, skipped)}


def _parts(release: Release, resource: Part) -> dict[str, Any]:
    """The parts that were asked for, without the manifest."""
    found: dict[str, Any] = {}
    if resource in ("all", "metadata"):
        found |= {"first_deployed": release.first_deployed or None, "apply_method": release.apply_method or None}
    if resource == "all":
        found["values"] = Tree(release.config)
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
