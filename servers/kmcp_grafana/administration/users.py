"""Users of Grafana, and the identity of this server itself."""

from kmcp_grafana.actions.arguments import Fields, OrgId, Query, UserId
from kmcp_grafana.actions.changes import merge_fields, send_change, send_deletion
from kmcp_grafana.actions.listing import NumberedList, explain_empty, read_numbered_page, slice_list
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.administration import preferences
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Cursor, Limit, denied

_USER = ("id", "uid", "login", "name", "email", "orgId", "isAdmin", "isGrafanaAdmin", "isDisabled", "lastSeenAtAge")
_PROFILE = ("name", "email", "login", "theme")
_PREFERENCES = "/api/user/preferences"
CHANGED = Spec(
    name=optional(str),
    email=optional(str),
    login=optional(str),
    theme=optional(str),
    either=_PROFILE,
)
NEW = Spec(
    login=optional(Text),
    email=optional(Text),
    name=optional(str),
    password=required(Text),
    orgId=optional(int),
    either=("login", "email"),
)
PASSWORD = Spec(password=required(Text))


async def get_current(grafana: Grafana) -> Answer:
    return Answer(item=pick(await grafana.read("/api/user"), *_USER))


async def update_current(grafana: Grafana, spec: Fields) -> Answer:
    return await _update_profile(grafana, "/api/user", spec)


async def get_orgs(grafana: Grafana, limit: Limit = 100, cursor: Cursor = None) -> Answer:
    rows = await grafana.read("/api/user/orgs")
    return slice_list(grafana, rows, lambda row: pick(row, "orgId", "name", "role"), limit, cursor)


async def switch_org(grafana: Grafana, org_id: OrgId) -> Answer:
    """Refused unless it is allowed: the identity is shared by every caller of this server."""
    if not grafana.settings.grafana_switch_org:
        raise denied(
            f"switching to organisation {org_id} would move every caller of this server, since they share its identity",
            f"set GRAFANA_ORG_ID={org_id}, which sends X-Grafana-Org-Id instead, or allow it with GRAFANA_SWITCH_ORG",
        )
    current = await grafana.read("/api/user")
    request = Request(method="POST", path=at("/api/user/using/{}", org_id))
    return await send_change(
        grafana, request, "switched", before={"orgId": current.get("orgId")}, after={"orgId": org_id}
    )


async def get_teams(grafana: Grafana, limit: Limit = 100, cursor: Cursor = None) -> Answer:
    rows = await grafana.read("/api/user/teams")
    found = slice_list(grafana, rows, lambda row: pick(row, "id", "uid", "name", "memberCount"), limit, cursor)
    return explain_empty(found, "This server's identity belongs to no team.")


async def get_preferences(grafana: Grafana) -> Answer:
    return await preferences.read_preferences(grafana, _PREFERENCES)


async def update_preferences(grafana: Grafana, spec: Fields) -> Answer:
    return await preferences.update_preferences(grafana, _PREFERENCES, spec)


async def list_users(grafana: Grafana, limit: Limit = 100, query: Query | None = None, cursor: Cursor = None) -> Answer:
    params = [("query", query)] if query else []
    source = NumberedList("/api/users/search", params, items="users", total="totalCount")
    found = await read_numbered_page(grafana, source, lambda row: pick(row, *_USER), limit, cursor)
    return explain_empty(found, "No login, name or email contains this text.")


async def get_user(grafana: Grafana, user_id: UserId | None = None, query: Query | None = None) -> Answer:
    if user_id is not None:
        return Answer(item=pick(await _read_user(grafana, user_id), *_USER))
    return Answer(item=pick(await grafana.read("/api/users/lookup", [("loginOrEmail", query or "")]), *_USER))


async def create_user(grafana: Grafana, spec: Fields) -> Answer:
    request = Request(method="POST", path="/api/admin/users", body=spec)
    # The difference is shown to people and logged; a new password has no place in it.
    shown = {field: value for field, value in spec.items() if field != "password"}
    return await send_change(grafana, request, "created", before=None, after=shown, reply=("id", "uid"))


async def update_user(grafana: Grafana, user_id: UserId, spec: Fields) -> Answer:
    return await _update_profile(grafana, at("/api/users/{}", user_id), spec)


async def delete_user(grafana: Grafana, user_id: UserId) -> Answer:
    found = await _read_user(grafana, user_id)
    request = Request(method="DELETE", path=at("/api/admin/users/{}", user_id))
    along = {"and": "memberships of every organisation and team, preferences, stars and sessions"}
    state = pick(found, *_USER[:-1], "createdAt")
    return await send_deletion(grafana, request, about=pick(found, *_USER[:5]), takes_along=along, state=state)


async def enable_user(grafana: Grafana, user_id: UserId) -> Answer:
    return await _set_disabled(grafana, user_id, disabled=False)


async def disable_user(grafana: Grafana, user_id: UserId) -> Answer:
    """Disable the user and end their sessions."""
    return await _set_disabled(grafana, user_id, disabled=True)


async def update_password(grafana: Grafana, user_id: UserId, spec: Fields) -> Answer:
    found = await _read_user(grafana, user_id)
    request = Request(method="PUT", path=at("/api/admin/users/{}/password", user_id), body=spec)
    # A password cannot be compared: any is a change.
    before, after = {"sign_in": "with the old password"}, {"sign_in": "with the new password"}
    return await send_change(
        grafana, request, "password set", before=before, after=after, about=pick(found, "id", "login")
    )


async def _set_disabled(grafana: Grafana, user_id: int, *, disabled: bool) -> Answer:
    found = await _read_user(grafana, user_id)
    # Two routes without a body, not one with a flag.
    word = "disable" if disabled else "enable"
    request = Request(method="POST", path=at(f"/api/admin/users/{{}}/{word}", user_id))
    before, after = {"isDisabled": bool(found.get("isDisabled"))}, {"isDisabled": disabled}
    return await send_change(grafana, request, f"{word}d", before=before, after=after, about=pick(found, "id", "login"))


async def _update_profile(grafana: Grafana, path: str, spec: Row) -> Answer:
    found = await grafana.read(path)
    # PUT replaces: fields that were not given are sent as they are.
    before = {field: found.get(field, "") for field in _PROFILE}
    after = merge_fields(before, spec)
    request = Request(method="PUT", path=path, body=after)
    return await send_change(grafana, request, "updated", before=before, after=after, about=pick(found, "id"))


async def _read_user(grafana: Grafana, user_id: int) -> Row:
    found: Row = await grafana.read(at("/api/users/{}", user_id))
    return found
