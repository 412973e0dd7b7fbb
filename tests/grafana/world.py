"""One of everything in the stand-in, and the identifiers that tests name it by."""

from dataclasses import dataclass
from typing import Any

from tests.grafana.standin.state import NOW, Dashboard, Folder, Organisation, State, User

MODEL: dict[str, Any] = {
    "title": "Web overview",
    "tags": ["web", "prod"],
    "schemaVersion": 41,
    "refresh": "30s",
    "time": {"from": "now-6h", "to": "now"},
    "templating": {"list": [{"name": "cluster", "type": "query", "query": "label_values(up, cluster)"}]},
    "links": [{"title": "Runbook", "type": "link", "url": "https://runbooks.example/web"}],
    "panels": [
        {
            "id": 1,
            "type": "timeseries",
            "title": "Requests",
            "datasource": {"type": "prometheus", "uid": "prom"},
            "targets": [{"refId": "A", "expr": "sum(rate(http_requests_total[5m]))"}],
        },
        {
            "id": 2,
            "type": "row",
            "title": "Latency",
            "panels": [
                {
                    "id": 3,
                    "type": "timeseries",
                    "title": "p99",
                    "targets": [{"refId": "A", "expr": "quantile(0.99, x)"}],
                },
            ],
        },
    ],
}
RULE: dict[str, Any] = {
    "title": "High error rate",
    "folderUID": "ops",
    "ruleGroup": "web",
    "condition": "C",
    "for": "5m",
    "noDataState": "NoData",
    "execErrState": "Error",
    "labels": {"severity": "critical"},
    "orgID": 1,
    "data": [
        {"refId": "A", "datasourceUid": "prom", "relativeTimeRange": {"from": 600, "to": 0}, "model": {"expr": "up"}},
        {"refId": "C", "datasourceUid": "__expr__", "model": {"type": "threshold", "expression": "A"}},
    ],
}
SECRET = "planted-grafana-secret"
"""Every secret that is planted holds this."""


@dataclass(frozen=True)
class World:
    """Numeric identifiers; all else has a fixed uid: `web`, `ops`, `prom`, …"""

    state: State
    org: int = 2
    user: int = 2
    team: int = 7
    annotation: int = 9

    @property
    def main(self) -> Organisation:
        return self.state.organisations[1]


def populated(state: State) -> World:
    main = state.organisations[1]
    state.users[3] = User(3, "carol", "carol@example.com", "Carol", "carol-password")
    main.teams[7] = {"id": 7, "uid": "t7", "orgId": 1, "name": "SRE", "email": "sre@example.com", "members": [2]}
    main.folders["ops"] = Folder("ops", "Operations", "", 11)
    main.folders["inner"] = Folder("inner", "Inner", "ops", 12)
    _dashboard(main)
    main.datasources |= {
        "prom": _source(
            "prom", "Prometheus", "prometheus", isDefault=True, secureJsonData={"httpHeaderValue1": f"{SECRET}-header"}
        ),
        "loki": _source("loki", "Loki", "loki"),
        "sql": _source("sql", "Billing", "grafana-postgresql-datasource", url="postgres:5432"),
    }
    main.annotations[9] = {
        "id": 9,
        "time": 1_764_000_000_000,
        "timeEnd": 1_764_000_000_000,
        "text": "deployed 1.2",
        "tags": ["deploy"],
        "dashboardUID": "web",
        "panelId": 1,
        "login": "admin",
    }
    main.rules["errors"] = {**RULE, "uid": "errors", "id": 31, "updated": NOW, "provenance": ""}
    main.points["hook"] = {
        "uid": "hook",
        "name": "On call",
        "type": "slack",
        "provenance": "",
        "settings": {"url": f"https://hooks.example/{SECRET}", "recipient": "#ops"},
    }
    nights = [{"times": [{"start_time": "22:00", "end_time": "23:59"}]}]
    main.timings["nights"] = {"name": "nights", "version": "v1", "provenance": "", "time_intervals": nights}
    main.playlists["wall"] = {
        "id": 41,
        "uid": "wall",
        "generation": 1,
        "name": "Wall",
        "interval": "5m",
        "items": [{"type": "dashboard_by_uid", "value": "web"}],
    }
    main.snapshots["snap"] = {"dashboard": MODEL, "expires": 3600}
    main.silences["quiet"] = {
        "id": "quiet",
        "status": {"state": "active"},
        "comment": "maintenance",
        "createdBy": "admin",
        "startsAt": NOW,
        "endsAt": NOW,
        "matchers": [{"name": "alertname", "value": "HighLoad", "isRegex": False, "isEqual": True}],
    }
    return World(state)


def _dashboard(main: Organisation) -> None:
    """At version 2; the title of its first version was another."""
    first = {**MODEL, "title": "Web"}
    versions = [
        {
            "id": number,
            "uid": "web",
            "dashboardId": 21,
            "version": number,
            "created": NOW,
            "createdBy": "admin",
            "message": message,
            "parentVersion": number - 1,
            "restoredFrom": 0,
            "data": data,
        }
        for number, message, data in ((1, "first", first), (2, "renamed", MODEL))
    ]
    main.dashboards["web"] = Dashboard("web", MODEL, "ops", 21, 2, versions, [{"role": "Viewer", "permission": 1}])


def _source(uid: str, name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "id": 50,
        "orgId": 1,
        "uid": uid,
        "name": name,
        "type": kind,
        "access": "proxy",
        "url": f"http://{uid}:9090",
        "user": "",
        "database": "",
        "basicAuth": False,
        "isDefault": False,
        "readOnly": False,
        "version": 1,
        "jsonData": {"httpMethod": "POST"},
        **more,
    }
