"""Addresses of requests without what is in them: `/api/v1/namespaces/{namespace}/pods/{name}`.

The words that an API fixes stay; names, labels and whatever else a caller or a cluster chose do not.
"""

import re
from urllib.parse import unquote

_LONGEST = 16  # segments
# What Prometheus, Alertmanager and Grafana fix in their documentation.
_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        - admin alert-rules alertmanager alertmanagers alerts annotations api apis blocks buildinfo clean_tombstones
        config contact-points counts dashboards datasources db delete_series disable ds exemplars features flags folder
        folders format_query frontend grafana groups health healthy home id label labels lookup members metadata
        mute-timings name org orgs parse_query password permissions playlists policies preferences prometheus
        provisioning proxy query query_exemplars query_range ready receivers reload restore rule-groups rules
        runtimeinfo scrape_pools search series settings silence silences snapshot snapshots stars status tags targets
        teams templates tsdb uid user users using v1 v2 v3 values version versions walreplay
        """,
    )
)


def kubernetes(path: str) -> str:
    """The route of a path of the API server; what is below a subresource, such as a proxied address, is `*`."""
    parts = _segments(path)
    if not parts or parts[0] not in ("api", "apis"):
        return "/" + "/".join(parts[:1])  # /version, /openapi/…, /readyz
    fixed = 2 if parts[0] == "api" else 3
    route, rest = parts[:fixed], parts[fixed:]
    if rest[:1] == ["watch"]:
        route, rest = [*route, "watch"], rest[1:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        route, rest = [*route, "namespaces", "{namespace}"], rest[2:]
    kind, name, below, more = rest[:1], rest[1:2], rest[2:3], rest[3:]
    return "/" + "/".join([*route, *kind, *(["{name}"] if name else []), *below, *(["*"] if more else [])])


def upstream(path: str) -> str:
    """The route of a path below the address of an HTTP API, with `{}` for each part that the API does not fix."""
    parts = _segments(path)
    if parts[:1] == ["apis"]:  # Grafana's newer resources are addressed as those of Kubernetes are
        return kubernetes(path)
    kept = [part if part in _WORDS else "{}" for part in parts[:_LONGEST]]
    return "/" + "/".join([*kept, *(["*"] if len(parts) > _LONGEST else [])])


def _segments(path: str) -> list[str]:
    return [unquote(part) for part in path.partition("?")[0].split("/") if part]
