"""Lists of releases, read from the cluster without the binary."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_helm.arguments import READS
from kmcp_helm.client import Client
from kmcp_runtime import (
    AllNamespaces,
    Cursor,
    Effect,
    Limit,
    OptionalNamespace,
    Page,
    Selector,
    ToolFailure,
    Word,
    cursors,
    injected,
    pattern,
    tool,
)
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.releases import PENDING, Head, Releases

_READ_AT_ONCE = 16


class ListedRelease(BaseModel):
    """The latest revision of a release."""

    name: str
    namespace: str
    revision: int
    status: str
    updated: str | None = None
    chart: str | None = None
    chart_version: str | None = None
    app_version: str | None = None
    error: str | None = Field(default=None, description="Why its data cannot be read")


class ListedReleases(Page[ListedRelease]):
    """Releases by name."""

    namespace: str | None = Field(default=None, description="Absent for all namespaces")


@tool(Effect.READ, needs=READS, ignored=("output",), shows="releases")
async def helm_list_releases(
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = False,
    all: Annotated[bool, Word("Any state")] = False,
    deployed: Annotated[bool, Word("Those")] = False,
    failed: Annotated[bool, Word("Those")] = False,
    pending: Annotated[bool, Word("Those")] = False,
    uninstalled: Annotated[bool, Word("Those")] = False,
    uninstalling: Annotated[bool, Word("Those")] = False,
    filter: Annotated[str | None, Word("Name regex")] = None,
    selector: Selector = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    client: Client = injected(),
) -> ListedReleases:
    """List releases with chart, version, status; by default deployed and failed ones."""
    where = namespace or (None if all_namespaces else client.cluster.context.namespace)
    matching = pattern(filter, "filter") if filter else None
    wanted = _states(all, deployed, failed, pending, uninstalled, uninstalling)
    known = await client.releases.latest(where, selector, superseded=all)
    of_state = [head for head in known if wanted is None or head.status in wanted]
    found = [head for head in of_state if matching is None or matching.found_in(head.name)]
    bound_to = {
        "context": client.cluster.context.name,
        "namespace": where,
        "filter": filter,
        "selector": selector,
        "states": sorted(wanted or ()),
    }
    left = _after(found, cursors.decode(cursor, bound_to)) if cursor else found
    shown = left[:limit]
    page = ListedReleases(
        items=await _decoded(client.releases, shown), namespace=where, total=len(found), truncated=len(left) > limit
    )

    def cursor_at(kept: int) -> str:
        return cursors.encode({"n": shown[kept - 1].name, "s": shown[kept - 1].namespace}, bound_to)

    page.cursor = cursor_at(len(shown)) if page.truncated else None
    if not found:
        page.hint = await _why_none(client, where, known, bool(filter or selector))
    return page.continues_at(cursor_at)


def _states(
    all: bool, deployed: bool, failed: bool, pending: bool, uninstalled: bool, uninstalling: bool
) -> set[str] | None:
    """None is any state."""
    if all:
        return None
    chosen = {
        "deployed": deployed,
        "failed": failed,
        "uninstalled": uninstalled,
        "uninstalling": uninstalling,
        **dict.fromkeys(PENDING, pending),
    }
    return {state for state, wanted in chosen.items() if wanted} or {"deployed", "failed"}


def _after(heads: Sequence[Head], position: dict[str, Any]) -> list[Head]:
    last = (str(position.get("n", "")), str(position.get("s", "")))
    return [head for head in heads if (head.name, head.namespace) > last]


async def _decoded(releases: Releases, heads: Sequence[Head]) -> list[ListedRelease]:
    """Their payloads, some at a time; one that cannot be read harms no other."""
    slots = asyncio.Semaphore(_READ_AT_ONCE)

    async def one(head: Head) -> ListedRelease:
        about = {"name": head.name, "namespace": head.namespace, "revision": head.revision, "status": head.status}
        async with slots:
            try:
                release = await releases.read(head)
            except payload.Undecodable as error:
                return ListedRelease(**about, error=str(error))
            except ToolFailure as failure:
                if failure.code != "not_found":
                    raise
                return ListedRelease(**about, error="gone meanwhile")
        return ListedRelease(
            **about,
            updated=release.last_deployed,
            chart=release.chart_name,
            chart_version=release.chart_version,
            app_version=release.app_version,
        )

    return list(await asyncio.gather(*(one(head) for head in heads)))


async def _why_none(client: Client, namespace: str | None, known: Sequence[Head], narrowed: bool) -> str:
    if namespace and await client.cluster.namespace_is_missing(namespace):
        raise await client.cluster.missing_namespace(namespace)
    where = f"namespace {namespace}" if namespace else "the cluster"
    if narrowed:
        return f"No release in {where} matches; leave filter or selector out, or use all_namespaces=true."
    if known:
        states = ", ".join(sorted({head.status for head in known}))
        return f"{len(known)} releases in {where} are in other states ({states}): all=true shows them."
    return f"No release in {where}" + ("; all_namespaces=true looks everywhere." if namespace else ".")
