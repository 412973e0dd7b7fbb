"""Prometheus itself: its configuration, flags, version and storage."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kmcp_prometheus.answers import configuration
from kmcp_prometheus.answers.samples import Number, plain
from kmcp_prometheus.api import implementations
from kmcp_prometheus.api.implementations import Kind
from kmcp_prometheus.client import Prometheus
from kmcp_runtime import Body, Effect, Page, Result, tool

Section = Literal["global", "scrape_configs", "rule_files", "alerting", "remote_write", "remote_read", "storage", "all"]


class Configuration(Body):
    """The loaded configuration."""

    cuttable = "yaml"
    section: str
    yaml: str


class Flag(BaseModel):
    name: str
    value: str


class Flags(Page[Flag]):
    """Flags of the command line."""

    features: dict[str, list[str]] | None = Field(default=None, description="What is switched on, by area")


# Fields differ between versions and implementations; what is not declared is passed on as it is.
class RuntimeInfo(Result):
    """The backend's own fields."""

    model_config = ConfigDict(extra="allow")

    startTime: str | None = None  # noqa: N815  # the backend's spelling, here and below
    serverTime: str | None = None  # noqa: N815
    reloadConfigSuccess: bool | None = None  # noqa: N815
    lastConfigTime: str | None = None  # noqa: N815
    corruptionCount: int | None = None  # noqa: N815
    goroutineCount: int | None = None  # noqa: N815
    GOMAXPROCS: int | None = None
    GOMEMLIMIT: int | None = None
    storageRetention: str | None = None  # noqa: N815


class BuildInfo(Result):
    """Version, and which implementation of the API it is."""

    backend: Kind
    version: str | None = None
    revision: str | None = None
    branch: str | None = None
    goVersion: str | None = None  # noqa: N815  # the backend's spelling
    buildDate: str | None = None  # noqa: N815


class Statistic(BaseModel):
    name: str
    value: int


class Block(BaseModel):
    """One block of the storage; times in seconds since 1970."""

    ulid: str
    min_time: Number
    max_time: Number
    level: int | None = None
    stats: dict[str, int]


class TsdbStatus(Result):
    """What fills the storage."""

    head_stats: dict[str, int] | None = Field(default=None, description="Of the newest hours, in memory")
    series_by_metric: list[Statistic] | None = None
    label_values_by_name: list[Statistic] | None = None
    memory_by_label: list[Statistic] | None = Field(default=None, description="Bytes")
    series_by_pair: list[Statistic] | None = None
    blocks: list[Block] | None = None


class WalReplay(Result):
    """How far the replay of the write-ahead log is, in segments."""

    min: int
    max: int
    current: int
    percent: float
    done: bool


@tool(Effect.READ)
async def prometheus_status_config_tool(
    prometheus: Prometheus,
    section: Annotated[Section, "Part"] = "all",
    job: Annotated[str | None, "Of scrape_configs"] = None,
) -> Configuration:
    """Show the loaded configuration, or one section or job of it; secrets are masked."""
    configuration.check(section, job)
    reply = await prometheus.get("/status/config")
    text = reply.read(lambda data: str(data["yaml"]))
    if job is not None:
        section, shown = "scrape_configs", configuration.job(text, job)
    else:
        shown = text if section == "all" else configuration.section(text, section)
    result = Configuration(section=section, yaml=shown, warnings=reply.warnings)
    if not shown:
        result.hint = f"{section} is not configured."
    return result


@tool(Effect.READ)
async def prometheus_status_flags_tool(
    prometheus: Prometheus, filter: Annotated[str | None, "Part of the name"] = None
) -> Flags:
    """Show command-line flags and features: retention, limits, what is enabled."""
    wanted = (filter or "").lower()
    reply = await prometheus.get("/status/flags")
    known = sorted(reply.mapping().items())
    flags = [Flag(name=name, value=str(value)) for name, value in known if wanted in name.lower()]
    features = await implementations.read_features(prometheus, wanted)
    result = Flags(items=flags, total=len(flags), features=features or None, warnings=reply.warnings)
    if not flags and not features:
        result.hint = f"None of {len(known)} flags has {filter!r} in its name."
    return result


@tool(Effect.READ)
async def prometheus_runtime_info_tool(prometheus: Prometheus) -> RuntimeInfo:
    """Show when Prometheus started, whether its configuration loaded, retention and corruption."""
    reply = await prometheus.get("/status/runtimeinfo")
    return RuntimeInfo.model_validate({**reply.mapping(), "warnings": reply.warnings or None})


@tool(Effect.READ)
async def prometheus_build_info_tool(prometheus: Prometheus) -> BuildInfo:
    """Show the version, and whether it is Prometheus, Thanos, Mimir or VictoriaMetrics."""
    info = await implementations.read_build_info(prometheus)
    fields = {name: info.get(name) or None for name in ("version", "revision", "branch", "goVersion", "buildDate")}
    fields["warnings"] = prometheus.warnings or None
    return BuildInfo.model_validate({"backend": implementations.kind_of(info), **fields})


@tool(Effect.READ)
async def prometheus_tsdb_status_tool(
    prometheus: Prometheus,
    limit: Annotated[int, "Of each list", Field(ge=1, le=10_000)] = 10,
    view: Annotated[Literal["head", "blocks"], "In memory or on disk"] = "head",
) -> TsdbStatus:
    """Show which metrics and labels have the most series (cardinality), or the blocks on disk."""
    if view == "blocks":
        reply = await prometheus.get("/status/tsdb/blocks")
        blocks = reply.read(lambda data: [_block(entry) for entry in data["blocks"] or ()])
        hint = None if blocks else "No block has been written to disk yet."
        return TsdbStatus(blocks=blocks, hint=hint, warnings=reply.warnings or None)
    reply = await prometheus.get("/status/tsdb", [("limit", limit)])
    result = reply.read(lambda data: _head(data, limit))
    result.warnings = reply.warnings or None
    return result


@tool(Effect.READ)
async def prometheus_wal_replay_tool(prometheus: Prometheus) -> WalReplay:
    """Show how far a starting Prometheus has replayed its log; it answers before Prometheus is ready."""
    reply = await prometheus.get("/status/walreplay")
    least, most, current = reply.read(lambda data: [int(data.get(name) or 0) for name in ("min", "max", "current")])
    # Both are 0 where there was nothing to replay.
    share = 1.0 if most <= least else (current - least) / (most - least)
    return WalReplay(
        min=least,
        max=most,
        current=current,
        percent=round(share * 100, 1),
        done=current >= most,
        warnings=reply.warnings or None,
    )


def _head(data: dict[str, Any], limit: int) -> TsdbStatus:
    return TsdbStatus(
        # Its times are milliseconds there; here every time is in seconds, as those of blocks.
        head_stats={
            name: int(value) // (1000 if name in ("minTime", "maxTime") else 1)
            for name, value in (data.get("headStats") or {}).items()
        }
        or None,
        series_by_metric=_statistics(data.get("seriesCountByMetricName"), limit),
        label_values_by_name=_statistics(data.get("labelValueCountByLabelName"), limit),
        memory_by_label=_statistics(data.get("memoryInBytesByLabelName"), limit),
        series_by_pair=_statistics(data.get("seriesCountByLabelValuePair"), limit),
    )


def _block(entry: dict[str, Any]) -> Block:
    return Block(
        ulid=entry["ulid"],
        min_time=plain(entry["minTime"] / 1000),
        max_time=plain(entry["maxTime"] / 1000),
        level=(entry.get("compaction") or {}).get("level"),
        stats=entry.get("stats") or {},
    )


def _statistics(entries: Any, limit: int) -> list[Statistic] | None:
    # Cut here, too: VictoriaMetrics and older versions know no `limit`.
    return [Statistic(name=entry["name"], value=int(entry["value"])) for entry in (entries or ())[:limit]] or None
