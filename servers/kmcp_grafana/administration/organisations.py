"""Organisations, their members and preferences."""

from typing import Annotated

from kmcp_grafana.actions.arguments import Fields, Name, OrgId, Query, UserId
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import NumberedList, explain_empty, read_numbered_page, slice_list
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Role, Spec, Text, required
from kmcp_grafana.administration import preferences
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Cursor, Limit, not_found

MemberRole = Annotated[Role, "Role"]

_MEMBER = ("userId", "login", "name", "email", "role", "lastSeenAtAge", "isDisabled")
_PREFERENCES = "/api/org/preferences"
NAME = Spec(name=required(Text))
MEMBERSHIP = Spec(loginOrEmail=required(Text), role=required(Role))


async def get_current(grafana: Grafana) -> Answer:
    return Answer(item=_shown(await grafana.read("/api/org")))


async def update_current(grafana: Grafana, spec: Fields) -> Answer:
    before = await grafana.read("/api/org")
    request = Request(method="PUT", path="/api/org", body=spec)
    return await _rename(grafana, request, before, spec)


async def get_users(grafana: Grafana, limit: Limit = 100, cursor: Cursor = None) -> Answer:
    return slice_list(grafana, await _list_members(grafana), lambda row: pick(row, *_MEMBER), limit, cursor)


async def add_user(grafana: Grafana, spec: Fields) -> Answer:
    members = await _list_members(grafana)
    # Grafana refuses to add a member twice; here a repeated call reports that nothing has changed.
    there = next((row for row in members if spec["loginOrEmail"] in (row.get("login"), row.get("email"))), None)
    before = {"loginOrEmail": spec["loginOrEmail"], "role": there["role"]} if there else None
    request = Request(method="POST", path="/api/org/users", body=spec)
    return await send_change(grafana, request, "added", before=before, after=spec, reply=("userId",))


async def update_user(grafana: Grafana, user_id: UserId, role: MemberRole) -> Answer:
    member = await _find_member(grafana, user_id)
    request = Request(method="PATCH", path=at("/api/org/users/{}", user_id), body={"role": role})
    before, after = {"role": member["role"]}, {"role": role}
    return await send_change(
        grafana, request, "updated", before=before, after=after, about=pick(member, "userId", "login")
    )


async def delete_user(grafana: Grafana, user_id: UserId) -> Answer:
    member = await _find_member(grafana, user_id)
    request = Request(method="DELETE", path=at("/api/org/users/{}", user_id))
    return await send_deletion(grafana, request, about=pick(member, *_MEMBER[:5]), result="removed")


async def get_preferences(grafana: Grafana) -> Answer:
    return await preferences.read_preferences(grafana, _PREFERENCES)


async def update_preferences(grafana: Grafana, spec: Fields) -> Answer:
    return await preferences.update_preferences(grafana, _PREFERENCES, spec)


async def list_orgs(grafana: Grafana, limit: Limit = 100, query: Query | None = None, cursor: Cursor = None) -> Answer:
    params = [("query", query)] if query else []
    found = await read_numbered_page(
        grafana, NumberedList("/api/orgs", params), lambda row: pick(row, "id", "name"), limit, cursor
    )
    return explain_empty(found, "No organisation has this text in its name.")


async def get_org(grafana: Grafana, org_id: OrgId | None = None, name: Name | None = None) -> Answer:
    # Each has a route of its own; the table makes sure that one of them is given.
    path = at("/api/orgs/{}", org_id) if org_id is not None else at("/api/orgs/name/{}", name or "")
    return Answer(item=_shown(await grafana.read(path)))


async def create_org(grafana: Grafana, spec: Fields) -> Answer:
    request = Request(method="POST", path="/api/orgs", body=spec)
    return await send_change(grafana, request, "created", before=None, after=spec, reply=("orgId",))


async def update_org(grafana: Grafana, org_id: OrgId, spec: Fields) -> Answer:
    path = at("/api/orgs/{}", org_id)
    return await _rename(grafana, Request(method="PUT", path=path, body=spec), await grafana.read(path), spec)


async def delete_org(grafana: Grafana, org_id: OrgId) -> Answer:
    path = at("/api/orgs/{}", org_id)
    found = await grafana.read(path)
    # Deleting an organisation cannot be undone, so the plan shows how many people lose it.
    members = await grafana.read(f"{path}/users")
    along = {"members": len(members), "and": "all its dashboards, data sources, alerts and tokens"}
    return await send_deletion(
        grafana, Request(method="DELETE", path=path), about=pick(found, "id", "name"), takes_along=along
    )


async def _rename(grafana: Grafana, request: Request, before: Row, spec: Row) -> Answer:
    was = {"name": before["name"]}
    return await send_change(grafana, request, "updated", before=was, after=spec, about=pick(before, "id"))


async def _list_members(grafana: Grafana) -> list[Row]:
    members: list[Row] = await grafana.read("/api/org/users")
    return members


async def _find_member(grafana: Grafana, user_id: int) -> Row:
    # There is no route for one member.
    member = next((row for row in await _list_members(grafana) if row["userId"] == user_id), None)
    if member is None:
        raise not_found(f"this organisation has no member with user_id {user_id}", "action=get_users lists them")
    return member


def _shown(found: Row) -> Row:
    address = pick(found.get("address") or {}, *(found.get("address") or {}))
    return {**pick(found, "id", "name"), **({"address": address} if address else {})}
