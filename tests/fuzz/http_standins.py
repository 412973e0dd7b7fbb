"""Stand-ins for Prometheus and Grafana: each path answers what belongs there, in the mood of the seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

from tests.fuzz.hostile_answers import CANARY, PLANTED, anything, hostile_text, in_mood, mood_of

_NOW = "2026-11-01T00:00:00Z"
_LABELS = {"__name__": "up", "job": "web", "note": CANARY, "instance": "10.0.0.1:80"}
_RULE = {
    "name": "Broken",
    "query": "up == 0",
    "duration": 60,
    "labels": _LABELS,
    "annotations": {"summary": CANARY},
    "alerts": [
        {"labels": _LABELS, "annotations": {"summary": CANARY}, "state": "firing", "activeAt": _NOW, "value": "1"}
    ],
    "health": "err",
    "lastError": CANARY,
    "type": "alerting",
    "state": "firing",
}
_TARGET = {
    "discoveredLabels": _LABELS,
    "labels": _LABELS,
    "scrapePool": "web",
    "scrapeUrl": "http://10.0.0.1/metrics",
    "lastError": CANARY,
    "health": "down",
    "lastScrape": _NOW,
    "lastScrapeDuration": 0.1,
    "scrapeInterval": "15s",
    "scrapeTimeout": "10s",
}
_VECTOR = [
    {"metric": _LABELS, "value": [1790000000, "1"]},
    {"metric": {**_LABELS, "job": "b"}, "value": [1790000000, "NaN"]},
]
_MATRIX = [{"metric": _LABELS, "values": [[1790000000 + step, str(step)] for step in range(30)]}]
_NATIVE = [{"metric": _LABELS, "histogram": [1790000000, {"count": "2", "sum": "3", "buckets": [[0, "1", "2", "2"]]}]}]
_TSDB = {
    "headStats": {"numSeries": 5, "chunkCount": 6, "minTime": 1, "maxTime": 2, "numLabelPairs": 7},
    "seriesCountByMetricName": [{"name": CANARY, "value": 5}],
    "labelValueCountByLabelName": [{"name": "job", "value": 5}],
    "memoryInBytesByLabelName": [{"name": "job", "value": 5}],
    "seriesCountByLabelValuePair": [{"name": "job=web", "value": 5}],
    "blocks": [{"ulid": "01", "minTime": 1, "maxTime": 2, "stats": {"numSeries": 1, "numTombstones": 2}}],
}
PROMETHEUS: dict[str, Any] = {
    "labels": ["__name__", "job", CANARY],
    "values": ["up", "web", CANARY],
    "series": [_LABELS, {**_LABELS, "job": "b"}],
    "metadata": {
        "up": [{"type": "gauge", "help": CANARY, "unit": ""}],
        CANARY: [{"type": "counter", "help": "", "unit": ""}],
    },
    "query_exemplars": [
        {"seriesLabels": _LABELS, "exemplars": [{"labels": {"trace": "x"}, "value": "1", "timestamp": 1.5}]}
    ],
    "targets": {
        "activeTargets": [_TARGET],
        "droppedTargets": [{"discoveredLabels": _LABELS}],
        "droppedTargetCounts": {"web": 1},
    },
    "rules": {
        "groups": [{"name": "g", "file": "f.yaml", "interval": 60, "rules": [_RULE, {**_RULE, "type": "recording"}]}]
    },
    "alerts": {"alerts": _RULE["alerts"]},
    "alertmanagers": {"activeAlertmanagers": [{"url": "http://am/"}], "droppedAlertmanagers": []},
    "config": {"yaml": f"global: {{}}\nremote_write:\n- basic_auth:\n    password: {PLANTED}\n# {CANARY}\n"},
    "flags": {"web.enable-admin-api": "true", "x": CANARY},
    "runtimeinfo": {
        "startTime": _NOW,
        "CWD": CANARY,
        "goroutineCount": 5,
        "storageRetention": "15d",
        "reloadConfigSuccess": True,
    },
    "buildinfo": {"version": "3.5.0", "revision": "x", "branch": CANARY, "goVersion": "go1"},
    "tsdb": _TSDB,
    "blocks": _TSDB,
    "walreplay": {"min": 0, "max": 5, "current": 3, "state": "in progress"},
    "format_query": "up",
    "parse_query": {"type": "vectorSelector", "name": "up", "matchers": [], "offset": 0},
    "features": {"promql": {"a": True}},
    "snapshot": {"name": "20261101"},
    "query_range": {"resultType": "matrix", "result": _MATRIX},
}
_PANEL = {
    "id": 1,
    "type": "timeseries",
    "title": CANARY,
    "targets": [{"expr": "up", "refId": "A", "datasource": {"uid": "u", "type": "prometheus"}}],
    "datasource": {"uid": "u", "type": "prometheus"},
    "panels": [{"id": 2, "type": "text", "title": CANARY}],
    "gridPos": {"x": 0, "y": 0, "w": 1, "h": 1},
}
_FRAME = {
    "schema": {
        "refId": "A",
        "name": CANARY,
        "fields": [{"name": "time", "type": "time"}, {"name": "v", "type": "number", "labels": _LABELS}],
    },
    "data": {"values": [[1790000000000, 1790000001000], [1, None]], "entities": [None, {"NaN": [1]}]},
}
_EVERYTHING: dict[str, Any] = {
    "id": 1,
    "uid": "web",
    "userId": 1,
    "orgId": 1,
    "teamId": 1,
    "name": CANARY,
    "title": CANARY,
    "login": CANARY,
    "email": "a@example.com",
    "message": CANARY,
    "text": CANARY,
    "type": "dash-db",
    "url": "/d/web/web",
    "version": 3,
    "versions": [{"id": 1, "version": 2, "created": _NOW, "createdBy": CANARY, "message": CANARY}],
    "role": "Viewer",
    "permission": 1,
    "isFolder": False,
    "folderUid": "f",
    "parents": [{"uid": "f", "title": CANARY}],
    "tags": ["a", CANARY],
    "access": "proxy",
    "jsonData": {"httpMethod": "POST", "tlsSkipVerify": True},
    "secureJsonData": {"password": PLANTED},
    "secureJsonFields": {"password": True},
    "password": PLANTED,
    "time": 1790000000000,
    "timeEnd": 1790000001000,
    "dashboard": {
        "id": 1,
        "uid": "web",
        "title": CANARY,
        "version": 3,
        "panels": [_PANEL],
        "templating": {"list": [{"name": "v"}]},
        "tags": ["x"],
    },
    "meta": {"folderUid": "f", "url": "/d/web/web", "version": 3, "canSave": True, "provisioned": False, "slug": "web"},
    "results": {"A": {"frames": [_FRAME], "status": 200, "error": CANARY}},
    "status": "success",
    "data": {
        "groups": [{"name": "g", "file": "f", "folderUid": "f", "interval": 60, "rules": [_RULE]}],
        "rules": [_RULE],
    },
    "totalCount": 1,
    "users": [{"id": 1, "login": CANARY, "email": "x", "role": "Viewer", "isAdmin": False, "lastSeenAt": _NOW}],
    "teams": [{"id": 1, "name": CANARY, "memberCount": 2}],
    "buildInfo": {"version": "12.1.0", "edition": "Open Source"},
    "database": "ok",
    "receiver": "default",
    "routes": [{"receiver": CANARY, "object_matchers": [["a", "=", "b"]]}],
    "settings": {"url": "http://hook/", "token": PLANTED},
    "ruleGroup": "g",
    "rules": [_RULE],
    "condition": "A",
    "interval": 60,
    "labels": _LABELS,
    "annotations": {"summary": CANARY},
    "matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}],
    "startsAt": _NOW,
    "endsAt": _NOW,
    "createdBy": CANARY,
    "comment": CANARY,
    "silenceID": "s",
    "key": "k",
    "deleteKey": "d",
    "external": False,
    "expires": _NOW,
    "created": _NOW,
    "items": [{"type": "dashboard_by_uid", "value": "web", "title": CANARY}],
    "groups": [
        {"name": "dashboard.grafana.app", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}}
    ],
    "resources": [{"name": "dashboards", "kind": "Dashboard", "verbs": ["get"]}],
    "metadata": {
        "name": "web",
        "namespace": "default",
        "resourceVersion": "5",
        "annotations": {"grafana.app/folder": "f"},
    },
    "spec": {"title": CANARY, "panels": [_PANEL]},
    "homeDashboardUID": "web",
    "theme": "dark",
    "dashboardCounts": 1,
    "dashboard_count": 1,
}
_LISTED = (
    "search",
    "datasources",
    "annotations",
    "teams",
    "users",
    "orgs",
    "playlists",
    "snapshots",
    "versions",
    "folders",
    "permissions",
    "members",
    "alert-rules",
    "contact-points",
    "mute-timings",
    "silences",
    "alerts",
    "tags",
    "receivers",
)


@dataclass
class StandIn:
    """The ASGI application of one of the two. `seed` decides every answer."""

    grafana: bool
    seed: int = 0
    sent: list[str] = field(default_factory=list)
    """`POST path` of each request."""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.sent.append(f"{request.method} {request.path}")
        random = Random(f"{self.seed}|{request.method}|{request.path}")
        mood = mood_of(self.seed)
        status, body = self._refused(random) if mood == "refused" else (200, self._body(request.path, mood, random))
        return web.Response(status=status, body=body, content_type="application/json")

    def _refused(self, random: Random) -> tuple[int, bytes]:
        status = random.choice((400, 401, 403, 404, 405, 409, 412, 422, 429, 500, 502, 503))
        body = {
            "status": "error",
            "errorType": "execution",
            "error": hostile_text(random),
            "message": hostile_text(random),
            "messageId": "x.y",
            "extra": anything(random),
        }
        return status, in_mood(random.choice(("valid", "spoiled", "random", "garbled", "empty")), body, random)

    def _body(self, path: str, mood: str, random: Random) -> bytes:
        if self.grafana:
            listed = path.rstrip("/").rsplit("/", 1)[-1] in _LISTED
            return in_mood(mood, [_EVERYTHING, _EVERYTHING] if listed else _EVERYTHING, random)
        data = PROMETHEUS.get(path.rsplit("/", 1)[-1])
        if data is None:
            vector = {"resultType": "vector", "result": random.choice((_VECTOR, _NATIVE, []))}
            odd = (
                {"resultType": "scalar", "result": [1790000000, "1"]},
                {"resultType": "string", "result": [1, CANARY]},
            )
            data = random.choice((vector, vector, {"resultType": "matrix", "result": _MATRIX}, *odd))
        more = {"warnings": [hostile_text(random)], "infos": [CANARY]} if random.random() < 0.3 else {}
        return in_mood(mood, {"status": "success", "data": data, **more}, random)
