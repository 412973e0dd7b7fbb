"""Events of the cluster: read in pages and sorted here, since the API server does not list them by time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from kmcp_runtime.kube import pages
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Discovery

# Lists come in the order of names, so the newest events are known only when all are read; this is where it ends.
MOST_SCANNED = 5_000
_PAGE = 500


class Event(BaseModel):
    """One event, as people read it."""

    last_seen: str
    type: str
    reason: str
    object: str = Field(description="Kind/name")
    namespace: str | None = None
    count: int
    source: str
    message: str


class Scan(BaseModel):
    """Events, newest first, and whether all of them were read."""

    events: list[Event]
    complete: bool = True


async def scan_events(api: KubeApi, discovery: Discovery, namespace: str | None, field_selector: str | None) -> Scan:
    """At most 5,000 events, newest first."""
    query = pages.Query(await discovery.resolve("events"), namespace, None, field_selector, _PAGE, "objects")
    found = await pages.fetch_all(api, query, MOST_SCANNED)
    return Scan(events=[_event(entry) for entry in sorted(found, key=last_seen, reverse=True)], complete=found.complete)


async def newest_warnings(api: KubeApi, discovery: Discovery, about: Mapping[str, Any]) -> list[Event]:
    """The warnings about an object, the newest first, of each reason the newest."""
    return await newest_of_reasons(api, discovery, about, "Warning")


async def newest_of_reasons(
    api: KubeApi, discovery: Discovery, about: Mapping[str, Any], only: str | None = None
) -> list[Event]:
    """The events about an object, warnings before others, the newest first, of each reason the newest."""
    fields = selector(involvedObject_uid=about["metadata"]["uid"], **({"type": only} if only else {}))
    scan = await scan_events(api, discovery, about["metadata"].get("namespace"), fields)
    newest: dict[str, Event] = {}
    for event in scan.events:
        newest.setdefault(event.reason, event)
    return sorted(newest.values(), key=lambda event: event.type != "Warning")


def last_seen(entry: Mapping[str, Any]) -> datetime:
    """When it last happened, from whichever field its reporter fills in."""
    series = entry.get("series") or {}
    # events.k8s.io reporters fill in eventTime and series, the older API count and lastTimestamp.
    candidates = (
        series.get("lastObservedTime"),
        entry.get("lastTimestamp"),
        entry.get("eventTime"),
        entry.get("firstTimestamp"),
        entry["metadata"].get("creationTimestamp"),
    )
    stamp = next((found for found in candidates if found), "1970-01-01T00:00:00Z")
    return moment(stamp)


def moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def since(seconds: float) -> datetime:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)


def selector(**fields: str | None) -> str | None:
    """A field selector from the given fields; `_` stands for the dot."""
    given = [f"{name.replace('_', '.')}={value}" for name, value in fields.items() if value]
    return ",".join(given) or None


def _event(entry: Mapping[str, Any]) -> Event:
    involved = entry.get("involvedObject") or {}
    source = entry.get("source") or {}
    series = entry.get("series") or {}
    return Event(
        last_seen=last_seen(entry).strftime("%Y-%m-%dT%H:%M:%SZ"),
        type=entry.get("type") or "Normal",
        reason=entry.get("reason") or "",
        object=f"{involved.get('kind', '')}/{involved.get('name', '')}",
        namespace=involved.get("namespace"),
        count=series.get("count") or entry.get("count") or 1,
        source=source.get("component") or entry.get("reportingComponent") or "",
        message=(entry.get("message") or "").strip(),
    )
