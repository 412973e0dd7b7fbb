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
            f"set PROMETHEUS_ADMIN=true; Prometheus itself also needs --{_FLAG}",
        )
    try:
        flags = (await prometheus.get("/status/flags")).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return  # Not every backend lists its flags; the request itself then shows whether it is allowed.
        raise
    if flags.get(_FLAG) == "false":
        raise unavailable("admin APIs disabled", f"start Prometheus with --{_FLAG}", backend="prometheus")


async def count_matching_series(
    prometheus: Prometheus, match: Sequence[str], start: float, end: float
) -> tuple[dict[str, int], bool]:
    """Count the series with samples in that time by metric; True when there are more than were counted."""
    parameters = [("match[]", match), ("start", stamp(start)), ("end", stamp(end)), ("limit", MOST_COUNTED)]
    reply = await prometheus.post("/series", parameters)
    # One more than is counted is not asked for: the backend reports with a warning when it cuts at `limit`.
    found = reply.read(lambda data: [labels.get(NAME, "") for labels in data or ()])
    return dict(Counter(found[:MOST_COUNTED]).most_common()), reply.cut or len(found) > MOST_COUNTED


async def list_tombstones(prometheus: Prometheus) -> list[dict[str, Any]]:
    """List the blocks that hold deleted data which is still on disk, as `{ulid, tombstones}`."""
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
