"""Snapshots, deletion of series, and freeing the disk space of deleted ones."""

import time
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_prometheus.answers.samples import Number, plain
from kmcp_prometheus.api import admin
from kmcp_prometheus.arguments import Match, check_span
from kmcp_prometheus.client import Prometheus, stamp
from kmcp_prometheus.promql import guard
from kmcp_runtime import DryRun, Effect, Result, Time, live_state, tool

_ON_DISK = "the data stays on disk until prometheus_clean_tombstones_tool or the next compaction"


class Snapshot(Result):
    """A copy of the storage, below Prometheus' data directory."""

    name: str | None = None
    directory: str | None = Field(default=None, description="Relative to the data directory")
    dry_run: bool | None = None


class Deletion(Result):
    """What would be deleted, or was."""

    match: list[str]
    matched_series: int = Field(description="With samples in that time, counted before the deletion")
    more: bool | None = Field(default=None, description="True when there are more than were counted")
    metrics: dict[str, int] = Field(description="Series by metric")
    deleted: bool
    start: Number | None = None
    end: Number | None = None
    note: str | None = None
    dry_run: bool | None = None


class Tombstones(BaseModel):
    """A block that holds deleted data."""

    ulid: str
    tombstones: int


class Cleaning(Result):
    """What was freed."""

    blocks: list[Tombstones] = Field(description="Blocks with deleted data, before")
    cleaned: bool
    duration_ms: float | None = None
    dry_run: bool | None = None


@tool(Effect.WRITE, timeout=300)
async def prometheus_create_snapshot_tool(
    prometheus: Prometheus,
    skip_head: Annotated[bool, "Without the newest hours"] = False,
    dry_run: DryRun = False,
) -> Snapshot:
    """Copy the storage of Prometheus to its own disk, as a backup before a deletion."""
    await admin.check_allowed(prometheus)
    if dry_run:
        return Snapshot(dry_run=True, hint="The snapshot would be made in snapshots/ below the data directory.")
    made = await prometheus.send_command("/admin/tsdb/snapshot", [("skip_head", str(skip_head).lower())])
    name = str(made["name"])
    return Snapshot(name=name, directory=f"snapshots/{name}")


@tool(Effect.DESTROY, timeout=120)
async def prometheus_delete_series_tool(
    prometheus: Prometheus,
    match: Match,
    start: Annotated[Time, "Start"],
    end: Annotated[Time, "End"],
    dry_run: DryRun = False,
) -> Deletion:
    """Delete samples of series between start and end; dry_run=true counts them first."""
    guard.selectors(match)
    check_span(start, end)
    await admin.check_allowed(prometheus)
    # Counted on a dry run and before a deletion alike: the plan that is approved names these figures.
    metrics, more = await admin.count_matching_series(prometheus, match, start, end)
    live_state.bind("matching series", {"metrics": metrics, "more": more})
    count = sum(metrics.values())
    result = Deletion(match=match, matched_series=count, more=more or None, metrics=metrics, deleted=False)
    if not count:
        result.hint = "No series has samples there; nothing is deleted."
    # Without a match there is nothing to approve, so nobody is asked.
    if dry_run or not count:
        result.dry_run = dry_run or None
        return result
    await prometheus.send_command(
        "/admin/tsdb/delete_series", [("match[]", match), ("start", stamp(start)), ("end", stamp(end))]
    )
    result.deleted, result.note, result.start, result.end = True, _ON_DISK, plain(start), plain(end)
    return result


@tool(Effect.DESTROY, timeout=300, idempotent=True)
async def prometheus_clean_tombstones_tool(prometheus: Prometheus, dry_run: DryRun = False) -> Cleaning:
    """Free the disk space of deleted series, which then cannot be recovered."""
    await admin.check_allowed(prometheus)
    blocks = [Tombstones(**block) for block in await admin.list_tombstones(prometheus)]
    live_state.bind("tombstones", [block.model_dump() for block in blocks])
    if dry_run:
        return Cleaning(blocks=blocks, cleaned=False, dry_run=True)
    started = time.perf_counter()
    await prometheus.send_command("/admin/tsdb/clean_tombstones")
    return Cleaning(blocks=blocks, cleaned=True, duration_ms=round((time.perf_counter() - started) * 1000, 1))
