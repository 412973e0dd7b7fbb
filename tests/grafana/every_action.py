"""A call of each of the 91 actions, and the request that it must lead to."""

from dataclasses import dataclass, field
from typing import Any

from tests.grafana.standin.state import State
from tests.grafana.world import MODEL, RULE, World

ORG, TEAM, ALERT = "grafana_org_management", "grafana_team_management", "grafana_alert_management"
ANNOTATION, MISC, DASHBOARD = "grafana_annotation_management", "grafana_misc_management", "grafana_dashboard_management"
FOLDER, SOURCE, USER = "grafana_folder_management", "grafana_datasource_management", "grafana_user_management"

_OBJECTS = "/apis/{group}/{version}/namespaces/{namespace}/{resource}"
_OBJECT = _OBJECTS + "/{name}"
_V1 = "/api/v1/provisioning"


@dataclass(frozen=True)
class Case:
    """`request` is what an older version gets; `current` what the newer API gets, where that is another."""

    tool: str
    action: str
    request: str
    arguments: dict[str, Any] = field(default_factory=dict)
    current: str | None = None

    def wanted(self, older: bool) -> str:
        return self.request if older or self.current is None else self.current


def cases(world: World) -> tuple[Case, ...]:
    return (
        *_organisations(world),
        *_teams(world),
        *_alerts(),
        *_annotations(world),
        *_misc(),
        *_dashboards(),
        *_folders(),
        *_sources(),
        *_users(world),
    )


def _organisations(world: World) -> tuple[Case, ...]:
    one = "/api/orgs/{org_id}"
    return (
        Case(ORG, "get_current", "GET /api/org"),
        Case(ORG, "update_current", "PUT /api/org", {"spec": {"name": "Renamed"}}),
        Case(ORG, "get_users", "GET /api/org/users"),
        Case(ORG, "add_user", "POST /api/org/users", {"spec": {"loginOrEmail": "carol", "role": "Viewer"}}),
        Case(ORG, "update_user", "PATCH /api/org/users/{user_id}", {"user_id": world.user, "role": "Viewer"}),
        Case(ORG, "delete_user", "DELETE /api/org/users/{user_id}", {"user_id": world.user}),
        Case(ORG, "get_preferences", "GET /api/org/preferences"),
        Case(
            ORG, "update_preferences", "PATCH /api/org/preferences", {"spec": {"theme": "dark", "weekStart": "monday"}}
        ),
        Case(ORG, "list_orgs", "GET /api/orgs"),
        Case(ORG, "get_org", f"GET {one}", {"org_id": world.org}),
        Case(ORG, "create_org", "POST /api/orgs", {"spec": {"name": "Third"}}),
        Case(ORG, "update_org", f"PUT {one}", {"org_id": world.org, "spec": {"name": "Second renamed"}}),
        Case(ORG, "delete_org", f"DELETE {one}", {"org_id": world.org}),
    )


def _teams(world: World) -> tuple[Case, ...]:
    one, team = "/api/teams/{team_id}", {"team_id": str(world.team)}
    return (
        Case(TEAM, "search", "GET /api/teams/search", {"query": "sre"}),
        Case(TEAM, "get", f"GET {one}", team),
        Case(TEAM, "create", "POST /api/teams", {"spec": {"name": "DBA", "email": "dba@example.com"}}),
        Case(TEAM, "update", f"PUT {one}", {**team, "spec": {"name": "Reliability"}}),
        Case(TEAM, "delete", f"DELETE {one}", team),
        Case(TEAM, "get_members", f"GET {one}/members", team),
        Case(TEAM, "add_member", f"POST {one}/members", {**team, "user_id": 3}),
        Case(TEAM, "remove_member", f"DELETE {one}/members/{{user_id}}", {**team, "user_id": world.user}),
    )


def _alerts() -> tuple[Case, ...]:
    rule = {key: value for key, value in RULE.items() if key != "orgID"}
    point = {"name": "Mail", "type": "email", "settings": {"addresses": "ops@example.com"}}
    interval = [{"weekdays": ["saturday", "sunday"]}]
    return (
        Case(ALERT, "get_rules", f"GET {_V1}/alert-rules", {"folder_uid": "ops"}),
        Case(ALERT, "get_rule", f"GET {_V1}/alert-rules/{{UID}}", {"uid": "errors"}),
        Case(ALERT, "create_rule", f"POST {_V1}/alert-rules", {"spec": {**rule, "title": "Another"}}),
        Case(ALERT, "update_rule", f"PUT {_V1}/alert-rules/{{UID}}", {"uid": "errors", "spec": {"for": "10m"}}),
        Case(ALERT, "delete_rule", f"DELETE {_V1}/alert-rules/{{UID}}", {"uid": "errors"}),
        Case(
            ALERT,
            "get_rule_group",
            f"GET {_V1}/folder/{{FolderUID}}/rule-groups/{{Group}}",
            {"folder_uid": "ops", "group": "web"},
        ),
        Case(ALERT, "get_contact_points", f"GET {_V1}/contact-points", {"name": "On call"}),
        Case(ALERT, "create_contact_point", f"POST {_V1}/contact-points", {"spec": point}),
        Case(
            ALERT,
            "update_contact_point",
            f"PUT {_V1}/contact-points/{{UID}}",
            {"uid": "hook", "spec": {"settings": {"recipient": "#web"}}},
        ),
        Case(ALERT, "delete_contact_point", f"DELETE {_V1}/contact-points/{{UID}}", {"uid": "hook"}),
        Case(ALERT, "get_notification_policies", f"GET {_V1}/policies"),
        Case(
            ALERT,
            "update_notification_policies",
            f"PUT {_V1}/policies",
            {"spec": {"receiver": "On call", "group_by": ["alertname", "cluster"]}},
        ),
        Case(ALERT, "get_mute_timings", f"GET {_V1}/mute-timings"),
        Case(ALERT, "get_mute_timing", f"GET {_V1}/mute-timings/{{name}}", {"name": "nights"}),
        Case(
            ALERT,
            "create_mute_timing",
            f"POST {_V1}/mute-timings",
            {"spec": {"name": "week ends", "time_intervals": interval}},
        ),
        Case(ALERT, "delete_mute_timing", f"DELETE {_V1}/mute-timings/{{name}}", {"name": "nights"}),
    )


def _annotations(world: World) -> tuple[Case, ...]:
    one, mark = "/api/annotations/{annotation_id}", {"annotation_id": world.annotation}
    return (
        Case(
            ANNOTATION,
            "get",
            "GET /api/annotations",
            {"start": "2025-11-01T00:00:00Z", "end": "now", "tags": ["deploy"]},
        ),
        Case(ANNOTATION, "create", "POST /api/annotations", {"spec": {"text": "deployed", "tags": ["deploy"]}}),
        Case(ANNOTATION, "update", f"PATCH {one}", {**mark, "spec": {"text": "deployed 1.3"}}),
        Case(ANNOTATION, "delete", f"DELETE {one}", mark),
    )


def _misc() -> tuple[Case, ...]:
    items = [{"type": "dashboard_by_tag", "value": "web"}]
    new = {"name": "Tour", "interval": "30s", "items": items}
    return (
        Case(MISC, "get_health", "GET /api/health"),
        Case(MISC, "create_snapshot", "POST /api/snapshots", {"spec": {"uid": "web", "name": "Incident"}}),
        Case(MISC, "get_snapshot", "GET /api/snapshots/{key}", {"key": "snap"}),
        Case(MISC, "delete_snapshot", "DELETE /api/snapshots/{key}", {"key": "snap"}),
        Case(MISC, "get_playlists", "GET /api/playlists", {"query": "wall"}, f"GET {_OBJECTS}"),
        Case(MISC, "get_playlist", "GET /api/playlists/{uid}", {"uid": "wall"}, f"GET {_OBJECT}"),
        Case(MISC, "create_playlist", "POST /api/playlists", {"spec": new}, f"POST {_OBJECTS}"),
        Case(
            MISC,
            "update_playlist",
            "PUT /api/playlists/{uid}",
            {"uid": "wall", "spec": {"interval": "1m"}},
            f"PUT {_OBJECT}",
        ),
        Case(MISC, "delete_playlist", "DELETE /api/playlists/{uid}", {"uid": "wall"}, f"DELETE {_OBJECT}"),
    )


def _dashboards() -> tuple[Case, ...]:
    one, web = "/api/dashboards/uid/{uid}", {"uid": "web"}
    patch = [{"op": "replace", "path": "/title", "value": "Web, patched"}]
    items = [{"role": "Editor", "permission": 2}, {"teamId": 7, "permission": 4}]
    return (
        Case(DASHBOARD, "search", "GET /api/search", {"query": "web", "tags": ["prod"]}),
        Case(DASHBOARD, "get", f"GET {one}", web, f"GET {_OBJECT}"),
        Case(
            DASHBOARD,
            "create",
            "POST /api/dashboards/db",
            {"spec": {"dashboard": {**MODEL, "title": "New"}, "folderUid": "ops", "message": "first"}},
            f"POST {_OBJECTS}",
        ),
        Case(
            DASHBOARD,
            "update",
            "POST /api/dashboards/db",
            {**web, "spec": {"operations": patch, "message": "why"}},
            f"PUT {_OBJECT}",
        ),
        Case(DASHBOARD, "delete", f"DELETE {one}", web, f"DELETE {_OBJECT}"),
        Case(DASHBOARD, "get_versions", f"GET {one}/versions", web),
        Case(DASHBOARD, "get_version", f"GET {one}/versions/{{version}}", {**web, "version": 1}),
        Case(DASHBOARD, "restore_version", f"POST {one}/restore", {**web, "version": 1}),
        Case(DASHBOARD, "get_permissions", f"GET {one}/permissions", web),
        Case(DASHBOARD, "update_permissions", f"POST {one}/permissions", {**web, "spec": {"items": items}}),
        Case(DASHBOARD, "calculate_diff", f"GET {one}/versions/{{version}}", {**web, "version": 1}),
    )


def _folders() -> tuple[Case, ...]:
    one, ops = "/api/folders/{folder_uid}", {"uid": "ops"}
    return (
        Case(FOLDER, "list", "GET /api/folders"),
        Case(FOLDER, "get", f"GET {one}", ops, f"GET {_OBJECT}"),
        Case(
            FOLDER,
            "create",
            "POST /api/folders",
            {"spec": {"title": "Data", "uid": "data", "parentUid": "ops"}},
            f"POST {_OBJECTS}",
        ),
        Case(FOLDER, "update", f"PUT {one}", {**ops, "spec": {"title": "Ops"}}, f"PUT {_OBJECT}"),
        Case(FOLDER, "delete", f"DELETE {one}", {**ops, "force_delete_rules": True}),
        Case(FOLDER, "get_permissions", f"GET {one}/permissions", ops),
        Case(
            FOLDER,
            "update_permissions",
            f"POST {one}/permissions",
            {**ops, "spec": {"items": [{"userId": 2, "permission": 1}]}},
        ),
    )


def _sources() -> tuple[Case, ...]:
    one, prom = "/api/datasources/uid/{uid}", {"uid": "prom"}
    new = {"name": "Metrics", "type": "prometheus", "url": "http://metrics:9090"}
    return (
        Case(SOURCE, "list", "GET /api/datasources"),
        Case(SOURCE, "get", f"GET {one}", prom),
        Case(SOURCE, "get_by_name", "GET /api/datasources/name/{name}", {"name": "Prometheus"}),
        Case(SOURCE, "create", "POST /api/datasources", {"spec": new}),
        Case(SOURCE, "update", f"PUT {one}", {**prom, "spec": {"url": "http://other:9090"}}),
        Case(SOURCE, "delete", f"DELETE {one}", prom),
        Case(SOURCE, "test", f"GET {one}/health", prom),
        Case(SOURCE, "query", "POST /api/ds/query", {**prom, "start": "now-1h", "spec": {"expr": "up", "range": True}}),
    )


def _users(world: World) -> tuple[Case, ...]:
    one, admin, user = "/api/users/{user_id}", "/api/admin/users/{user_id}", {"user_id": world.user}
    new = {"login": "dave", "email": "dave@example.com", "password": "planted-grafana-secret-1"}
    return (
        Case(USER, "get_current", "GET /api/user"),
        Case(USER, "update_current", "PUT /api/user", {"spec": {"name": "Administrator"}}),
        Case(USER, "get_orgs", "GET /api/user/orgs"),
        Case(USER, "switch_org", "POST /api/user/using/{org_id}", {"org_id": world.org}),
        Case(USER, "get_teams", "GET /api/user/teams"),
        Case(USER, "get_preferences", "GET /api/user/preferences"),
        Case(USER, "update_preferences", "PATCH /api/user/preferences", {"spec": {"timezone": "utc"}}),
        Case(USER, "list_users", "GET /api/users/search", {"query": "e"}),
        Case(USER, "get_user", f"GET {one}", user),
        Case(USER, "create_user", "POST /api/admin/users", {"spec": new}),
        Case(USER, "update_user", f"PUT {one}", {**user, "spec": {"name": "Eve E."}}),
        Case(USER, "delete_user", f"DELETE {admin}", user),
        Case(USER, "enable_user", f"POST {admin}/enable", {"user_id": 3}),
        Case(USER, "disable_user", f"POST {admin}/disable", user),
        Case(
            USER, "update_password", f"PUT {admin}/password", {**user, "spec": {"password": "planted-grafana-secret-2"}}
        ),
    )


CASES_OF_ADMINISTRATORS = tuple(
    case
    for case in cases(World(State()))
    if case.request.split()[1].startswith(("/api/orgs", "/api/users", "/api/admin/users"))
)
"""What only a server administrator may do."""
