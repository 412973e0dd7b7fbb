"""The administrative API: who may use it, and what it would do."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from kmcp_prometheus.client import Prometheus, is_not_served, stamp
from kmcp_prometheus.promql.selectors import NAME
from kmcp_runtime import ToolFailure, denied, unavailable

MOST_COUNTED = 10_000
_FLAG = "web.enable-admin-api"


async def check_allowed(prometheus: Prometheus) -> None:
    """Refuse what is switched off, here or at Prometheus, and say which of the two it is."""
    if not prometheus.settings.prometheus_admin:
        raise denied(
            "administration is switched off on this server",
            f"set PROMETHEUS_ADMIN=true; Prometheus itself needs --{_FLAG}, too",
        )
    try:
        flags = (await prometheus.get("/status/flags")).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return  # Then the request itself will tell.
        raise
    if flags.get(_FLAG) == "false":
        raise unavailable("admin APIs disabled", f"start Prometheus with --{_FLAG}", backend="prometheus")


async def matched(
    prometheus: Prometheus, match: Sequence[str], start: float, end: float
) -> tuple[dict[str, int], bool]:
    """The series with samples in that time, counted by metric, and whether there are more than were counted."""
    parameters = [("match[]", match), ("start", stamp(start)), ("end", stamp(end)), ("limit", MOST_COUNTED)]
    reply = await prometheus.post("/series", parameters)
    found = reply.read(lambda data: [labels.get(NAME, "") for labels in data or ()])
    return dict(Counter(found[:MOST_COUNTED]).most_common()), reply.cut or len(found) > MOST_COUNTED


async def tombstoned(prometheus: Prometheus) -> list[dict[str, Any]]:
    """The blocks that hold data which is deleted but still on disk."""
    try:
        reply = await prometheus.get("/status/tsdb/blocks")
    except ToolFailure as failure:
        if is_not_served(failure):
            return []
        raise
    blocks = reply.read(
        lambda data: [(block["ulid"], block["stats"].get("numTombstones", 0)) for block in data["blocks"]]
    )
    return [{"ulid": ulid, "tombstones": count} for ulid, count in blocks if count]
