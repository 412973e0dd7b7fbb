"""Lists of releases, read from the cluster without the binary."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_helm import states
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
    cursors,
    pattern,
    tool,
)
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.releases import PENDING, Head, Releases

# Each payload can be a Secret of up to 1 MiB: enough at once to be quick, few enough to spare the API server.
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
    way_out: str | None = Field(default=None, description="Of a state in which an operation was left unfinished")


class ListedReleases(Page[ListedRelease]):
    """Releases by name."""

    namespace: str | None = Field(default=None, description="Absent for all namespaces")


@tool(Effect.READ, needs=READS, ignored=("output",), shows="releases")
async def helm_list_releases(
    client: Client,
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = False,
    all: Annotated[bool, "Any state"] = False,
    deployed: Annotated[bool, "Include"] = False,
    failed: Annotated[bool, "Include"] = False,
    pending: Annotated[bool, "Include"] = False,
    uninstalled: Annotated[bool, "Include"] = False,
    uninstalling: Annotated[bool, "Include"] = False,
    filter: Annotated[str | None, "Name regex"] = None,
    selector: Selector = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ListedReleases:
    """List releases with chart, version, state."""
    where = namespace or (None if all_namespaces else client.cluster.context.namespace)
    matching = pattern(filter, "filter") if filter else None
    wanted = _states(all, deployed, failed, pending, uninstalled, uninstalling)
    # Labels hold names and states, so only the releases of this page are decoded.
    known = await client.releases.list_latest(where, selector, superseded=all)
    of_state = [head for head in known if wanted is None or head.status in wanted]
    found = await matching.kept(of_state, _name) if matching else of_state
    bound_to = {
        "context": client.cluster.context.name,
        "namespace": where,
        "filter": filter,
        "selector": selector,
        "states": sorted(wanted or ()),
    }
    page = await _cut(client, found, limit, cursor, bound_to)
    page.namespace = where
    if not found:
        named = await matching.kept(known, _name) if matching else known
        page.hint = await _explain_none(client, where, named, bool(filter or selector))
    return page


def _name(head: Head) -> str:
    return head.name


async def _cut(
    client: Client, found: Sequence[Head], limit: int, cursor: str | None, bound_to: dict[str, Any]
) -> ListedReleases:
    """The releases after the cursor, at most `limit` of them: only their payloads are read."""
    left = _after(found, cursors.decode(cursor, bound_to, n=str, s=str)) if cursor else found
    shown = left[:limit]
    page = ListedReleases(
        items=await _read_payloads(client.releases, shown), total=len(found), truncated=len(left) > limit
    )

    def cursor_at(kept: int) -> str:
        return cursors.encode({"n": shown[kept - 1].name, "s": shown[kept - 1].namespace}, bound_to)

    page.cursor = cursor_at(len(shown)) if page.truncated else None
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
        # One flag for the three pending states, as in `helm list --pending`.
        **dict.fromkeys(PENDING, pending),
    }
    # `helm list` leaves out what is pending: an operation that was cut off would then look like no release at all.
    usual = {"deployed", "failed", "uninstalling", *PENDING}
    return {state for state, wanted in chosen.items() if wanted} or usual


def _after(heads: Sequence[Head], position: dict[str, Any]) -> list[Head]:
    last = (position.get("n", ""), position.get("s", ""))
    # By position in the order, not by count: a release that came or went meanwhile shifts nothing.
    return [head for head in heads if (head.name, head.namespace) > last]


async def _read_payloads(releases: Releases, heads: Sequence[Head]) -> list[ListedRelease]:
    """Releases with what their payloads say, read several at a time; one that cannot be read fails alone."""
    slots = asyncio.Semaphore(_READ_AT_ONCE)

    async def read_one(head: Head) -> ListedRelease:
        about: dict[str, Any] = {
            "name": head.name,
            "namespace": head.namespace,
            "revision": head.revision,
            "status": head.status,
            "way_out": states.way_out(head),
        }
        async with slots:
            try:
                release = await releases.read(head)
            except payload.Undecodable as error:
                return ListedRelease(**about, error=str(error))
            except ToolFailure as failure:
                if failure.code != "not_found":
                    raise
                return ListedRelease(**about, error="deleted while it was being read")
        return ListedRelease(
            **about,
            updated=release.last_deployed,
            chart=release.chart_name,
            chart_version=release.chart_version,
            app_version=release.app_version,
        )

    return list(await asyncio.gather(*(read_one(head) for head in heads)))


async def _explain_none(client: Client, namespace: str | None, known: Sequence[Head], narrowed: bool) -> str:
    if namespace and await client.cluster.namespace_is_missing(namespace):
        raise await client.cluster.explain_missing_namespace(namespace)
    where = f"namespace {namespace}" if namespace else "the cluster"
    if known:
        found = ", ".join(sorted({head.status for head in known}))
        which = "matching releases" if narrowed else "releases"
        return f"{len(known)} {which} in {where} are in other states ({found}): all=true lists them."
    if narrowed:
        return f"No release in {where} matches; leave filter or selector out, or use all_namespaces=true."
    return f"No release in {where}" + ("; all_namespaces=true lists all of them." if namespace else ".")
