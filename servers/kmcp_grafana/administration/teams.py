"""Teams and their members."""

from kmcp_grafana.actions.changes import changed, deleted, merged
from kmcp_grafana.actions.listing import Numbered, explained, numbered
from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Effect, not_found

_TEAM = ("id", "uid", "name", "email", "memberCount", "isProvisioned")
_MEMBER = ("userId", "login", "name", "email", "permission")
_NEW = Spec(name=required(Text), email=optional(str))
_CHANGED = Spec(name=optional(Text), email=optional(str), either=("name", "email"))


async def search(
    grafana: Grafana, limit: int, query: str | None = None, name: str | None = None, cursor: str | None = None
) -> Answer:
    params = [(key, value) for key, value in (("query", query), ("name", name)) if value]
    source = Numbered("/api/teams/search", params, items="teams", total="totalCount")
    found = await numbered(grafana, source, lambda row: brief(row, *_TEAM), limit, cursor)
    return explained(found, "No team of that name is visible to this server's identity.")


async def get(grafana: Grafana, team_id: str) -> Answer:
    return Answer(item=brief(await _read(grafana, team_id), *_TEAM, "orgId"))


async def create(grafana: Grafana, spec: Row) -> Answer:
    request = Request(method="POST", path="/api/teams", body=spec)
    return await changed(grafana, request, "created", before=None, after=spec, reply=("teamId", "uid"))


async def update(grafana: Grafana, team_id: str, spec: Row) -> Answer:
    found = await _read(grafana, team_id)
    before = {"name": found["name"], "email": found.get("email", "")}
    request = Request(method="PUT", path=_path(team_id), body=merged(before, spec))
    return await changed(
        grafana, request, "updated", before=before, after=merged(before, spec), about=brief(found, "id", "uid")
    )


async def delete(grafana: Grafana, team_id: str) -> Answer:
    found = await _read(grafana, team_id)
    along = {"members": found.get("memberCount", 0), "and": "the permissions that the team was given"}
    request = Request(method="DELETE", path=_path(team_id))
    return await deleted(grafana, request, about=brief(found, "id", "uid", "name"), takes_along=along)


async def get_members(grafana: Grafana, team_id: str) -> Answer:
    members = await _members(grafana, team_id)
    shown: list[Row | str] = [brief(row, *_MEMBER) for row in members]
    found = Answer(items=shown, returned=len(shown), total=len(shown), truncated=False)
    return explained(found, "The team has no members: action=add_member adds one.")


async def add_member(grafana: Grafana, team_id: str, user_id: int) -> Answer:
    members = await _members(grafana, team_id)
    before = next(({"userId": user_id} for row in members if row["userId"] == user_id), None)
    request = Request(method="POST", path=f"{_path(team_id)}/members", body={"userId": user_id})
    return await changed(grafana, request, "added", before=before, after={"userId": user_id}, about={"team": team_id})


async def remove_member(grafana: Grafana, team_id: str, user_id: int) -> Answer:
    members = await _members(grafana, team_id)
    member = next((row for row in members if row["userId"] == user_id), None)
    if member is None:
        raise not_found(f"team {team_id} has no member with user_id {user_id}", "action=get_members lists them")
    request = Request(method="DELETE", path=at("/api/teams/{}/members/{}", team_id, user_id))
    return await deleted(grafana, request, about={"team": team_id, **brief(member, *_MEMBER)}, result="removed")


def _path(team_id: str) -> str:
    return at("/api/teams/{}", team_id)


async def _read(grafana: Grafana, team_id: str) -> Row:
    found: Row = await grafana.read(_path(team_id))
    return found


async def _members(grafana: Grafana, team_id: str) -> list[Row]:
    members: list[Row] = await grafana.read(f"{_path(team_id)}/members")
    return members


TABLE = Table(
    Action(search, Effect.READ),
    Action(get, Effect.READ),
    Action(create, Effect.WRITE, _NEW),
    Action(update, Effect.WRITE, _CHANGED),
    Action(delete, Effect.DESTROY),
    Action(get_members, Effect.READ),
    Action(add_member, Effect.WRITE),
    Action(remove_member, Effect.DESTROY),
    find="grafana_team_management action=search",
)
