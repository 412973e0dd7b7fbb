"""What a request to the HTTP API of Prometheus does: queries may be POSTs, and only `/admin` changes anything."""

from kmcp_runtime.judging import READS, Verdict, destroys, writes

_QUERYING = frozenset(
    {"query", "query_range", "query_exemplars", "series", "labels", "format_query", "parse_query", "read"}
)
_DELETING = frozenset({"admin/tsdb/delete_series", "admin/tsdb/clean_tombstones"})


def judge(method: str, path: str) -> Verdict:
    _, _, name = path.partition("/api/v1/")
    if method in ("GET", "HEAD") or (method == "POST" and name in _QUERYING):
        return READS
    said = f"{method} {path}"
    if name in _DELETING:
        return destroys(f"deletes data of Prometheus ({said})")
    # Whatever else there may be under another backend's name is not known to be less.
    return writes(f"makes a snapshot ({said})") if name == "admin/tsdb/snapshot" else destroys(said)
