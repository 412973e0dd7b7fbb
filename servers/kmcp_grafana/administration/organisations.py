"""Organisations, their members and preferences."""

from kmcp_grafana.actions.changes import changed, deleted
from kmcp_grafana.actions.listing import Numbered, explained, numbered, sliced
from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.specs import Role, Spec, Text, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.administration import preferences
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Effect, not_found

_MEMBER = ("userId", "login", "name", "email", "role", "lastSeenAtAge", "isDisabled")
_PREFERENCES = "/api/org/preferences"
_NAME = Spec(name=required(Text))
_MEMBERSHIP = Spec(loginOrEmail=required(Text), role=required(Role))


async def get_current(grafana: Grafana) -> Answer:
    return Answer(item=_shown(await grafana.read("/api/org")))


async def update_current(grafana: Grafana, spec: Row) -> Answer:
    before = await grafana.read("/api/org")
    request = Request(method="PUT", path="/api/org", body=spec)
    return await _renamed(grafana, request, before, spec)


async def get_users(grafana: Grafana, limit: int, cursor: str | None = None) -> Answer:
    return sliced(grafana, await _members(grafana), lambda row: brief(row, *_MEMBER), limit, cursor)


async def add_user(grafana: Grafana, spec: Row) -> Answer:
    members = await _members(grafana)
    there = next((row for row in members if spec["loginOrEmail"] in (row.get("login"), row.get("email"))), None)
    before = {"loginOrEmail": spec["loginOrEmail"], "role": there["role"]} if there else None
    request = Request(method="POST", path="/api/org/users", body=spec)
    return await changed(grafana, request, "added", before=before, after=spec, reply=("userId",))


async def update_user(grafana: Grafana, user_id: int, role: str) -> Answer:
    member = await _member(grafana, user_id)
    request = Request(method="PATCH", path=at("/api/org/users/{}", user_id), body={"role": role})
    before, after = {"role": member["role"]}, {"role": role}
    return await changed(
        grafana, request, "updated", before=before, after=after, about=brief(member, "userId", "login")
    )


async def delete_user(grafana: Grafana, user_id: int) -> Answer:
    member = await _member(grafana, user_id)
    request = Request(method="DELETE", path=at("/api/org/users/{}", user_id))
    return await deleted(grafana, request, about=brief(member, *_MEMBER[:5]), result="removed")


async def get_preferences(grafana: Grafana) -> Answer:
    return await preferences.read(grafana, _PREFERENCES)


async def update_preferences(grafana: Grafana, spec: Row) -> Answer:
    return await preferences.update(grafana, _PREFERENCES, spec)


async def list_orgs(grafana: Grafana, limit: int, query: str | None = None, cursor: str | None = None) -> Answer:
    params = [("query", query)] if query else []
    found = await numbered(grafana, Numbered("/api/orgs", params), lambda row: brief(row, "id", "name"), limit, cursor)
    return explained(found, "No organisation has that in its name.")


async def get_org(grafana: Grafana, org_id: int | None = None, name: str | None = None) -> Answer:
    path = at("/api/orgs/{}", org_id) if org_id is not None else at("/api/orgs/name/{}", name or "")
    return Answer(item=_shown(await grafana.read(path)))


async def create_org(grafana: Grafana, spec: Row) -> Answer:
    request = Request(method="POST", path="/api/orgs", body=spec)
    return await changed(grafana, request, "created", before=None, after=spec, reply=("orgId",))


async def update_org(grafana: Grafana, org_id: int, spec: Row) -> Answer:
    path = at("/api/orgs/{}", org_id)
    return await _renamed(grafana, Request(method="PUT", path=path, body=spec), await grafana.read(path), spec)


async def delete_org(grafana: Grafana, org_id: int) -> Answer:
    path = at("/api/orgs/{}", org_id)
    found = await grafana.read(path)
    members = await grafana.read(f"{path}/users")
    along = {"members": len(members), "and": "all its dashboards, data sources, alerts and tokens"}
    return await deleted(
        grafana, Request(method="DELETE", path=path), about=brief(found, "id", "name"), takes_along=along
    )


async def _renamed(grafana: Grafana, request: Request, before: Row, spec: Row) -> Answer:
    was = {"name": before["name"]}
    return await changed(grafana, request, "updated", before=was, after=spec, about=brief(before, "id"))


async def _members(grafana: Grafana) -> list[Row]:
    members: list[Row] = await grafana.read("/api/org/users")
    return members


async def _member(grafana: Grafana, user_id: int) -> Row:
    member = next((row for row in await _members(grafana) if row["userId"] == user_id), None)
    if member is None:
        raise not_found(f"this organisation has no member with user_id {user_id}", "action=get_users lists them")
    return member


def _shown(found: Row) -> Row:
    address = brief(found.get("address") or {}, *(found.get("address") or {}))
    return {**brief(found, "id", "name"), **({"address": address} if address else {})}


TABLE = Table(
    Action(get_current, Effect.READ),
    Action(update_current, Effect.WRITE, _NAME),
    Action(get_users, Effect.READ),
    Action(add_user, Effect.WRITE, _MEMBERSHIP),
    Action(update_user, Effect.WRITE),
    Action(delete_user, Effect.DESTROY),
    Action(get_preferences, Effect.READ),
    Action(update_preferences, Effect.WRITE, preferences.SPEC),
    Action(list_orgs, Effect.READ, admin=True),
    Action(get_org, Effect.READ, admin=True, either=("org_id", "name")),
    Action(create_org, Effect.WRITE, _NAME, admin=True),
    Action(update_org, Effect.WRITE, _NAME, admin=True),
    Action(delete_org, Effect.DESTROY, admin=True),
    find="grafana_org_management action=list_orgs",
)
