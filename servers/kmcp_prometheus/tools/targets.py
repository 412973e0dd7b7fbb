"""What Prometheus scrapes, and whether it can."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_prometheus.answers.samples import Number, plain
from kmcp_prometheus.client import Prometheus
from kmcp_runtime import Cursor, Effect, Limit, Page, did_you_mean, quoted_list, sliced, tool

State = Literal["active", "dropped", "any"]
Health = Literal["up", "down", "unknown"]
_KEPT_OF_DROPPED = ("__address__", "__meta_kubernetes_namespace", "__meta_kubernetes_pod_name", "job")


class Pool(BaseModel):
    """The targets of one scrape configuration, counted."""

    pool: str
    up: int = 0
    down: int = 0
    unknown: int = 0
    dropped: int = 0


class Target(BaseModel):
    """One target."""

    scrape_pool: str
    health: Health | Literal["dropped"]
    scrape_url: str | None = None
    labels: dict[str, str]
    last_error: str | None = None
    last_scrape: str | None = None
    scrape_duration_seconds: Number | None = None


class Targets(Page[Target]):
    """Targets, those that are down first."""

    pools: list[Pool] = Field(description="Counts, regardless of health and limit")


@tool(Effect.READ)
async def prometheus_targets_tool(
    prometheus: Prometheus,
    state: Annotated[State, "Which"] = "active",
    scrape_pool: Annotated[str | None, "Only this pool"] = None,
    health: Annotated[Health | None, "Only these"] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Targets:
    """Show scrape targets with health and last error; health=down finds what is not scraped."""
    reply = await prometheus.get("/targets", [("state", state), ("scrapePool", scrape_pool)])
    known = reply.read(lambda data: _targets(data, state))
    found = [target for target in known if scrape_pool in (None, target.scrape_pool)]
    pools = _pools(found, reply.mapping().get("droppedTargetCounts") or {}, scrape_pool)
    shown = [target for target in found if health in (None, target.health)]
    shown.sort(key=lambda target: (target.health != "down", target.scrape_pool, target.scrape_url or ""))
    bound_to = {"datasource": prometheus.source.name, "state": state, "pool": scrape_pool, "health": health}
    result = sliced(Targets, shown, limit, cursor, bound_to, reply.warnings, pools=pools)
    if result.truncated:
        result.hint = "Narrow with scrape_pool or health."
    elif not shown:
        result.hint = await _explain_none(prometheus, scrape_pool, len(found))
    return result


def _targets(data: dict[str, Any], state: State) -> list[Target]:
    """The targets of the wanted state, whether or not the backend knows the parameter."""
    active = [_active(entry) for entry in data.get("activeTargets") or ()] if state != "dropped" else []
    dropped = [_dropped(entry) for entry in data.get("droppedTargets") or ()] if state != "active" else []
    return active + dropped


def _active(entry: dict[str, Any]) -> Target:
    return Target(
        labels=entry["labels"],
        scrape_pool=entry["scrapePool"],
        scrape_url=entry["scrapeUrl"],
        health=entry["health"],
        last_error=entry["lastError"] or None,
        last_scrape=entry["lastScrape"],
        scrape_duration_seconds=plain(entry["lastScrapeDuration"]),
    )


def _dropped(entry: dict[str, Any]) -> Target:
    labels = entry.get("discoveredLabels") or {}
    kept = {name: labels[name] for name in _KEPT_OF_DROPPED if name in labels}
    # Older versions do not name the pool of a dropped target; by default it is called as the job.
    pool = entry.get("scrapePool") or labels.get("job", "")
    return Target(labels=kept, scrape_pool=pool, health="dropped")


def _pools(found: list[Target], dropped: dict[str, int], scrape_pool: str | None) -> list[Pool]:
    counts = Counter((target.scrape_pool, target.health) for target in found)
    for name, count in dropped.items():
        if scrape_pool in (None, name) and count:
            # Prometheus keeps only some dropped targets in memory but counts all of them.
            counts[name, "dropped"] = max(counts[name, "dropped"], count)
    pools: dict[str, Pool] = {}
    for (name, health), count in sorted(counts.items()):
        setattr(pools.setdefault(name, Pool(pool=name)), health, count)
    return list(pools.values())


async def _explain_none(prometheus: Prometheus, scrape_pool: str | None, found: int) -> str:
    if found:
        return f"None of {found} targets has that health."
    if scrape_pool is None:
        return "There are no targets in that state; prometheus_status_config_tool section=scrape_configs shows why."
    reply = await prometheus.get("/targets")
    pools = {target.scrape_pool for target in reply.read(lambda data: _targets(data, "any"))}
    return did_you_mean(scrape_pool, pools) or f"No target in pool {scrape_pool}; pools: {quoted_list(sorted(pools))}."
