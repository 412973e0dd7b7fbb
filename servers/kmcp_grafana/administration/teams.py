"""Teams and their members."""

from kmcp_grafana.actions.arguments import Fields, Name, Query, TeamId, UserId
from kmcp_grafana.actions.changes import merge_fields, send_change, send_deletion
from kmcp_grafana.actions.listing import NumberedList, explain_empty, read_numbered_page
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Cursor, Limit, not_found

_TEAM = ("id", "uid", "name", "email", "memberCount", "isProvisioned")
_MEMBER = ("userId", "login", "name", "email", "permission")
NEW = Spec(name=required(Text), email=optional(str))
CHANGED = Spec(name=optional(Text), email=optional(str), either=("name", "email"))


async def search_teams(
    grafana: Grafana, limit: Limit = 100, query: Query | None = None, name: Name | None = None, cursor: Cursor = None
) -> Answer:
    params = [(key, value) for key, value in (("query", query), ("name", name)) if value]
    source = NumberedList("/api/teams/search", params, items="teams", total="totalCount")
    found = await read_numbered_page(grafana, source, lambda row: pick(row, *_TEAM), limit, cursor)
    return explain_empty(found, "This server's identity sees no such team.")


async def get_team(grafana: Grafana, team_id: TeamId) -> Answer:
    return Answer(item=pick(await _read_team(grafana, team_id), *_TEAM, "orgId"))


async def create_team(grafana: Grafana, spec: Fields) -> Answer:
    request = Request(method="POST", path="/api/teams", body=spec)
    return await send_change(grafana, request, "created", before=None, after=spec, reply=("teamId", "uid"))


async def update_team(grafana: Grafana, team_id: TeamId, spec: Fields) -> Answer:
    found = await _read_team(grafana, team_id)
    before = {"name": found["name"], "email": found.get("email", "")}
    # PUT replaces: an email that is not sent is emptied.
    request = Request(method="PUT", path=_path(team_id), body=merge_fields(before, spec))
    return await send_change(
        grafana, request, "updated", before=before, after=merge_fields(before, spec), about=pick(found, "id", "uid")
    )


async def delete_team(grafana: Grafana, team_id: TeamId) -> Answer:
    found = await _read_team(grafana, team_id)
    along = {"members": found.get("memberCount", 0), "and": "the permissions that the team was given"}
    request = Request(method="DELETE", path=_path(team_id))
    about, state = pick(found, "id", "uid", "name"), pick(found, "email", "externalUID", "isProvisioned")
    return await send_deletion(grafana, request, about=about, takes_along=along, state=state)


async def get_members(grafana: Grafana, team_id: TeamId) -> Answer:
    members = await _list_members(grafana, team_id)
    shown: list[Row | str] = [pick(row, *_MEMBER) for row in members]
    found = Answer(items=shown, returned=len(shown), total=len(shown), truncated=False)
    return explain_empty(found, "The team has no members: action=add_member adds one.")


async def add_member(grafana: Grafana, team_id: TeamId, user_id: UserId) -> Answer:
    members = await _list_members(grafana, team_id)
    # Grafana answers 400 when the user is already a member; here a repeated call reports no change.
    before = next(({"userId": user_id} for row in members if row["userId"] == user_id), None)
    request = Request(method="POST", path=f"{_path(team_id)}/members", body={"userId": user_id})
    return await send_change(
        grafana, request, "added", before=before, after={"userId": user_id}, about={"team": team_id}
    )


async def remove_member(grafana: Grafana, team_id: TeamId, user_id: UserId) -> Answer:
    members = await _list_members(grafana, team_id)
    member = next((row for row in members if row["userId"] == user_id), None)
    if member is None:
        raise not_found(f"team {team_id} has no member with user_id {user_id}", "action=get_members lists them")
    request = Request(method="DELETE", path=at("/api/teams/{}/members/{}", team_id, user_id))
    return await send_deletion(grafana, request, about={"team": team_id, **pick(member, *_MEMBER)}, result="removed")


def _path(team_id: str) -> str:
    return at("/api/teams/{}", team_id)


async def _read_team(grafana: Grafana, team_id: str) -> Row:
    found: Row = await grafana.read(_path(team_id))
    return found


async def _list_members(grafana: Grafana, team_id: str) -> list[Row]:
    members: list[Row] = await grafana.read(f"{_path(team_id)}/members")
    return members
