"""What a request to Grafana's API does, by its method and path."""

import re

from kmcp_runtime.judging import READS, Verdict, destroys, writes

_LOSING = re.compile(r"/permissions$|/api/admin/users/[^/]+/(?:password|disable)$|/api/v1/provisioning/policies$")
"""Changes that take something away from somebody: rights, an account, the tree of notification policies."""
_EXPIRING = re.compile(r"/alertmanager/[^/]+/api/v2/silence/[^/]+$")
"""Grafana ends a silence by DELETE: it stays, and can be made anew."""


def judge(method: str, path: str) -> Verdict:
    said = f"{method} {path}"
    if method in ("GET", "HEAD"):
        return READS
    if method == "DELETE" and not _EXPIRING.search(path):
        return destroys(f"deletes in Grafana ({said})")
    return destroys(f"takes away in Grafana ({said})") if _LOSING.search(path) else writes(said)
