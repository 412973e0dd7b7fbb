"""Users of the server, and the one that this server is itself."""

from kmcp_grafana.actions.changes import changed, deleted, merged
from kmcp_grafana.actions.listing import Numbered, explained, numbered, sliced
from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.administration import preferences
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Effect, denied

_USER = ("id", "uid", "login", "name", "email", "orgId", "isAdmin", "isGrafanaAdmin", "isDisabled", "lastSeenAtAge")
_PROFILE = ("name", "email", "login", "theme")
_PREFERENCES = "/api/user/preferences"
_CHANGED = Spec(
    name=optional(str),
    email=optional(str),
    login=optional(str),
    theme=optional(str),
    either=_PROFILE,
)
_NEW = Spec(
    login=optional(Text),
    email=optional(Text),
    name=optional(str),
    password=required(Text),
    orgId=optional(int),
    either=("login", "email"),
)
_PASSWORD = Spec(password=required(Text))


async def get_current(grafana: Grafana) -> Answer:
    return Answer(item=brief(await grafana.read("/api/user"), *_USER))


async def update_current(grafana: Grafana, spec: Row) -> Answer:
    return await _updated(grafana, "/api/user", spec)


async def get_orgs(grafana: Grafana, limit: int, cursor: str | None = None) -> Answer:
    rows = await grafana.read("/api/user/orgs")
    return sliced(grafana, rows, lambda row: brief(row, "orgId", "name", "role"), limit, cursor)


async def switch_org(grafana: Grafana, org_id: int) -> Answer:
    """Refused unless it is allowed: the identity is shared by every caller of this server."""
    if not grafana.settings.grafana_switch_org:
        raise denied(
            f"switching to organisation {org_id} would move every caller of this server, whose identity is shared",
            f"set GRAFANA_ORG_ID={org_id}, which sends X-Grafana-Org-Id instead, or allow it with GRAFANA_SWITCH_ORG",
        )
    current = await grafana.read("/api/user")
    request = Request(method="POST", path=at("/api/user/using/{}", org_id))
    return await changed(grafana, request, "switched", before={"orgId": current.get("orgId")}, after={"orgId": org_id})


async def get_teams(grafana: Grafana, limit: int, cursor: str | None = None) -> Answer:
    rows = await grafana.read("/api/user/teams")
    found = sliced(grafana, rows, lambda row: brief(row, "id", "uid", "name", "memberCount"), limit, cursor)
    return explained(found, "This server's identity is in no team.")


async def get_preferences(grafana: Grafana) -> Answer:
    return await preferences.read(grafana, _PREFERENCES)


async def update_preferences(grafana: Grafana, spec: Row) -> Answer:
    return await preferences.update(grafana, _PREFERENCES, spec)


async def list_users(grafana: Grafana, limit: int, query: str | None = None, cursor: str | None = None) -> Answer:
    params = [("query", query)] if query else []
    source = Numbered("/api/users/search", params, items="users", total="totalCount")
    found = await numbered(grafana, source, lambda row: brief(row, *_USER), limit, cursor)
    return explained(found, "No login, name or email holds that.")


async def get_user(grafana: Grafana, user_id: int | None = None, query: str | None = None) -> Answer:
    if user_id is not None:
        return Answer(item=brief(await _read(grafana, user_id), *_USER))
    return Answer(item=brief(await grafana.read("/api/users/lookup", [("loginOrEmail", query or "")]), *_USER))


async def create_user(grafana: Grafana, spec: Row) -> Answer:
    request = Request(method="POST", path="/api/admin/users", body=spec)
    shown = {field: value for field, value in spec.items() if field != "password"}
    return await changed(grafana, request, "created", before=None, after=shown, reply=("id", "uid"))


async def update_user(grafana: Grafana, user_id: int, spec: Row) -> Answer:
    return await _updated(grafana, at("/api/users/{}", user_id), spec)


async def delete_user(grafana: Grafana, user_id: int) -> Answer:
    found = await _read(grafana, user_id)
    request = Request(method="DELETE", path=at("/api/admin/users/{}", user_id))
    along = {"and": "memberships of every organisation and team, preferences, stars and sessions"}
    return await deleted(grafana, request, about=brief(found, *_USER[:5]), takes_along=along)


async def enable_user(grafana: Grafana, user_id: int) -> Answer:
    return await _switched(grafana, user_id, disabled=False)


async def disable_user(grafana: Grafana, user_id: int) -> Answer:
    """It ends the user's sessions, too."""
    return await _switched(grafana, user_id, disabled=True)


async def update_password(grafana: Grafana, user_id: int, spec: Row) -> Answer:
    found = await _read(grafana, user_id)
    request = Request(method="PUT", path=at("/api/admin/users/{}/password", user_id), body=spec)
    before, after = {"sign_in": "with the old password"}, {"sign_in": "with the new password"}
    return await changed(
        grafana, request, "password set", before=before, after=after, about=brief(found, "id", "login")
    )


async def _switched(grafana: Grafana, user_id: int, *, disabled: bool) -> Answer:
    found = await _read(grafana, user_id)
    word = "disable" if disabled else "enable"
    request = Request(method="POST", path=at(f"/api/admin/users/{{}}/{word}", user_id))
    before, after = {"isDisabled": bool(found.get("isDisabled"))}, {"isDisabled": disabled}
    return await changed(grafana, request, f"{word}d", before=before, after=after, about=brief(found, "id", "login"))


async def _updated(grafana: Grafana, path: str, spec: Row) -> Answer:
    """PUT replaces: what was not given is sent as it is."""
    found = await grafana.read(path)
    before = {field: found.get(field, "") for field in _PROFILE}
    after = merged(before, spec)
    request = Request(method="PUT", path=path, body=after)
    return await changed(grafana, request, "updated", before=before, after=after, about=brief(found, "id"))


async def _read(grafana: Grafana, user_id: int) -> Row:
    found: Row = await grafana.read(at("/api/users/{}", user_id))
    return found


TABLE = Table(
    Action(get_current, Effect.READ),
    Action(update_current, Effect.WRITE, _CHANGED),
    Action(get_orgs, Effect.READ),
    Action(switch_org, Effect.WRITE),
    Action(get_teams, Effect.READ),
    Action(get_preferences, Effect.READ),
    Action(update_preferences, Effect.WRITE, preferences.SPEC),
    Action(list_users, Effect.READ, admin=True),
    Action(get_user, Effect.READ, admin=True, either=("user_id", "query")),
    Action(create_user, Effect.WRITE, _NEW, admin=True),
    Action(update_user, Effect.WRITE, _CHANGED, admin=True),
    Action(delete_user, Effect.DESTROY, admin=True),
    Action(enable_user, Effect.WRITE, admin=True),
    Action(disable_user, Effect.DESTROY, admin=True),
    Action(update_password, Effect.DESTROY, _PASSWORD, admin=True),
    find="grafana_user_management action=list_users",
)
