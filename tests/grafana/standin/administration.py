"""Organisations, teams and users."""

from typing import Any

from tests.grafana.standin.exchange import Exchange, Handler, counted_page, page
from tests.grafana.standin.state import Organisation, Refusal, Row, User

Answered = tuple[int, Any]


def _said(message: str, **more: Any) -> Answered:
    return 200, {"message": message, **more}


def _organisation(exchange: Exchange) -> Organisation:
    found = exchange.state.organisations.get(exchange.number("org_id"))
    if found is None:
        raise Refusal(404, "Organization not found")
    return found


def _details(found: Organisation) -> Row:
    return {"id": found.id, "name": found.name, "address": {"address1": "", "city": ""}}


def _renamed(exchange: Exchange, found: Organisation) -> Answered:
    if not exchange.body.get("name"):
        raise Refusal(400, "bad request data")
    if any(
        other.name == exchange.body["name"] and other is not found for other in exchange.state.organisations.values()
    ):
        raise Refusal(400, "Organization name taken")
    found.name = exchange.body["name"]
    return _said("Organization updated")


def _members(exchange: Exchange, found: Organisation) -> list[Row]:
    users = exchange.state.users
    return [
        {
            "orgId": found.id,
            "userId": number,
            "login": users[number].login,
            "email": users[number].email,
            "name": users[number].name,
            "role": role,
            "isDisabled": users[number].is_disabled,
            "lastSeenAtAge": "1h",
        }
        for number, role in found.members.items()
    ]


def get_org(exchange: Exchange) -> Answered:
    return 200, _details(exchange.organisation)


def put_org(exchange: Exchange) -> Answered:
    return _renamed(exchange, exchange.organisation)


def get_org_users(exchange: Exchange) -> Answered:
    return 200, _members(exchange, exchange.organisation)


def add_org_user(exchange: Exchange) -> Answered:
    wanted = exchange.body.get("loginOrEmail")
    user = next((u for u in exchange.state.users.values() if wanted in (u.login, u.email)), None)
    if user is None:
        raise Refusal(404, "User not found")
    if user.id in exchange.organisation.members:
        raise Refusal(409, "User is already member of this organization", userId=user.id)
    if not exchange.body.get("role"):
        raise Refusal(400, "Invalid role specified")
    exchange.organisation.members[user.id] = exchange.body["role"]
    return _said("User added to organization", userId=user.id)


def _member_number(exchange: Exchange) -> int:
    number = exchange.number("user_id")
    if number not in exchange.organisation.members:
        raise Refusal(404, "user not found")
    return number


def patch_org_user(exchange: Exchange) -> Answered:
    number, members = _member_number(exchange), exchange.organisation.members
    if exchange.body["role"] != "Admin" and [n for n, role in members.items() if role == "Admin"] == [number]:
        raise Refusal(400, "Cannot change role so that there is no organization admin left")
    members[number] = exchange.body["role"]
    return _said("Organization user updated")


def delete_org_user(exchange: Exchange) -> Answered:
    del exchange.organisation.members[_member_number(exchange)]
    return _said("User removed from organization")


def _patched(preferences: Row, body: Row) -> Answered:
    preferences.update(body)
    return _said("Preferences updated")


def get_orgs(exchange: Exchange) -> Answered:
    query = exchange.first("query").lower()
    rows = [{"id": o.id, "name": o.name} for o in exchange.state.organisations.values() if query in o.name.lower()]
    return 200, page(rows, exchange, "perpage", 1000)


def create_org(exchange: Exchange) -> Answered:
    name = exchange.body.get("name")
    if not name:
        raise Refusal(400, "bad request data")
    if any(found.name == name for found in exchange.state.organisations.values()):
        raise Refusal(409, "Organization name taken")
    number = exchange.state.number()
    exchange.state.organisations[number] = Organisation(number, name, {1: "Admin"})
    return _said("Organization created", orgId=number)


def get_org_by_name(exchange: Exchange) -> Answered:
    name = exchange.param("org_name")
    found = next((o for o in exchange.state.organisations.values() if o.name == name), None)
    if found is None:
        raise Refusal(404, "Organization not found")
    return 200, _details(found)


def delete_org(exchange: Exchange) -> Answered:
    found = _organisation(exchange)
    if found is exchange.organisation:
        raise Refusal(400, "Can not delete org for current user")
    del exchange.state.organisations[found.id]
    return _said("Organization deleted")


def _team(exchange: Exchange) -> Row:
    wanted = exchange.param("team_id")
    for team in exchange.organisation.teams.values():
        if wanted in (str(team["id"]), team["uid"]):
            return team
    raise Refusal(404, "Team not found")


def _told(team: Row) -> Row:
    shown = {key: value for key, value in team.items() if key != "members"}
    return {**shown, "memberCount": len(team["members"]), "isProvisioned": False}


def search_teams(exchange: Exchange) -> Answered:
    query, name = exchange.first("query").lower(), exchange.first("name")
    rows = [
        _told(team)
        for team in exchange.organisation.teams.values()
        if query in team["name"].lower() and name in ("", team["name"])
    ]
    return 200, counted_page("teams", rows, exchange)


def create_team(exchange: Exchange) -> Answered:
    _refuse_taken_team(exchange, None)
    number = exchange.state.number()
    body = exchange.body
    team = {"id": number, "uid": f"t{number}", "orgId": exchange.organisation.id, "name": body["name"]}
    exchange.organisation.teams[number] = {**team, "email": body.get("email", ""), "members": []}
    return _said("Team created", teamId=number, uid=f"t{number}")


def put_team(exchange: Exchange) -> Answered:
    team = _team(exchange)
    _refuse_taken_team(exchange, team)
    # What is absent is emptied: the body replaces.
    team.update(name=exchange.body.get("name", ""), email=exchange.body.get("email", ""))
    return _said("Team updated")


def _refuse_taken_team(exchange: Exchange, own: Row | None) -> None:
    if not exchange.body.get("name"):
        raise Refusal(400, "bad request data")
    if any(t["name"] == exchange.body["name"] and t is not own for t in exchange.organisation.teams.values()):
        raise Refusal(409, "Team name taken")


def delete_team(exchange: Exchange) -> Answered:
    del exchange.organisation.teams[_team(exchange)["id"]]
    return _said("Team deleted")


def get_team_members(exchange: Exchange) -> Answered:
    team, users = _team(exchange), exchange.state.users
    return 200, [
        {
            "orgId": exchange.organisation.id,
            "teamId": team["id"],
            "userId": number,
            "login": users[number].login,
            "email": users[number].email,
            "name": users[number].name,
            "permission": 0,
            "labels": [],
        }
        for number in team["members"]
    ]


def add_team_member(exchange: Exchange) -> Answered:
    team, number = _team(exchange), exchange.body["userId"]
    if number not in exchange.state.users:
        raise Refusal(404, "user not found")
    if number in team["members"]:
        raise Refusal(400, "User is already added to this team")
    team["members"].append(number)
    return _said("Member added to Team")


def delete_team_member(exchange: Exchange) -> Answered:
    team, number = _team(exchange), exchange.number("user_id")
    if number not in team["members"]:
        raise Refusal(404, "Team member not found.")
    team["members"].remove(number)
    return _said("Team Member removed")


def _profile(user: User) -> Row:
    return {
        "id": user.id,
        "uid": user.uid,
        "login": user.login,
        "email": user.email,
        "name": user.name,
        "theme": user.theme,
        "orgId": user.org_id,
        "isGrafanaAdmin": user.is_admin,
        "isDisabled": user.is_disabled,
    }


def _self(exchange: Exchange) -> User:
    if exchange.identity.user is None:
        raise Refusal(403, "Endpoint only available for users")
    return exchange.identity.user


def get_user(exchange: Exchange) -> Answered:
    user = exchange.identity.user
    if user is None:
        return 200, {"id": 50, "uid": "sa50", "login": "sa-kmcp", "name": "kmcp", "orgId": 1, "isGrafanaAdmin": False}
    return 200, _profile(user)


def put_user(exchange: Exchange) -> Answered:
    return _put_profile(exchange, _self(exchange))


def _put_profile(exchange: Exchange, user: User) -> Answered:
    body = exchange.body
    if not body.get("login") and not body.get("email"):
        raise Refusal(400, "Validation error, need to specify either username or email")
    taken = [u for u in exchange.state.users.values() if u is not user and body.get("login") == u.login]
    if taken:
        raise Refusal(409, "user with login or email already exists")
    # What is absent is emptied: the body replaces.
    user.login, user.email = body.get("login", ""), body.get("email", "")
    user.name, user.theme = body.get("name", ""), body.get("theme", "")
    return _said("User updated")


def get_user_orgs(exchange: Exchange) -> Answered:
    user = exchange.identity.user
    if user is None:
        return 200, [{"orgId": 1, "name": exchange.organisation.name, "role": exchange.identity.role}]
    found = exchange.state.organisations.values()
    return 200, [{"orgId": o.id, "name": o.name, "role": o.members[user.id]} for o in found if user.id in o.members]


def get_user_teams(exchange: Exchange) -> Answered:
    user = exchange.identity.user
    teams = exchange.organisation.teams.values()
    return 200, [_told(team) for team in teams if user is not None and user.id in team["members"]]


def use_org(exchange: Exchange) -> Answered:
    user, found = _self(exchange), _organisation(exchange)
    if user.id not in found.members:
        raise Refusal(401, "Not a valid organization")
    user.org_id = found.id
    return _said("Active organization changed")


def search_users(exchange: Exchange) -> Answered:
    query = exchange.first("query").lower()
    rows = [
        {**_profile(u), "isAdmin": u.is_admin, "lastSeenAtAge": "1h"}
        for u in exchange.state.users.values()
        if query in f"{u.login} {u.email} {u.name}".lower()
    ]
    return 200, counted_page("users", rows, exchange)


def lookup_user(exchange: Exchange) -> Answered:
    wanted = exchange.first("loginOrEmail")
    found = next((u for u in exchange.state.users.values() if wanted in (u.login, u.email)), None)
    if found is None:
        raise Refusal(404, "user not found")
    return 200, _profile(found)


def _user(exchange: Exchange) -> User:
    found = exchange.state.users.get(exchange.number("user_id"))
    if found is None:
        raise Refusal(404, "user not found")
    return found


def create_user(exchange: Exchange) -> Answered:
    body = exchange.body
    login, email = body.get("login") or body.get("email"), body.get("email") or body.get("login")
    if not login or not email:
        raise Refusal(400, "Validation error, need specify either username or email")
    if len(body.get("password", "")) < 4:
        raise Refusal(400, "Password is missing or too short")
    if any(login in (u.login, u.email) for u in exchange.state.users.values()):
        raise Refusal(412, f"User with email '{email}' or username '{login}' already exists")
    number, organisation = exchange.state.number(), int(body.get("orgId") or 1)
    if organisation not in exchange.state.organisations:
        raise Refusal(400, "Organization not found")
    found = User(number, login, email, body.get("name", ""), body["password"], org_id=organisation)
    exchange.state.users[number] = found
    exchange.state.organisations[organisation].members[number] = "Viewer"
    return _said("User created", id=number, uid=found.uid)


def delete_user(exchange: Exchange) -> Answered:
    number = _user(exchange).id
    del exchange.state.users[number]
    for organisation in exchange.state.organisations.values():
        organisation.members.pop(number, None)
    return _said("User deleted")


def _set_disabled(exchange: Exchange, disabled: bool) -> Answered:
    _user(exchange).is_disabled = disabled
    return _said("User disabled" if disabled else "User enabled")


def put_password(exchange: Exchange) -> Answered:
    if len(exchange.body.get("password", "")) < 4:
        raise Refusal(400, "New password too short")
    _user(exchange).password = exchange.body["password"]
    return _said("User password updated")


def _own_preferences(exchange: Exchange) -> Row:
    return exchange.identity.user.preferences if exchange.identity.user else {}


HANDLERS: dict[str, Handler] = {
    "GET /api/org": get_org,
    "PUT /api/org": put_org,
    "GET /api/org/users": get_org_users,
    "POST /api/org/users": add_org_user,
    "PATCH /api/org/users/{user_id}": patch_org_user,
    "DELETE /api/org/users/{user_id}": delete_org_user,
    "GET /api/org/preferences": lambda exchange: (200, exchange.organisation.preferences),
    "PATCH /api/org/preferences": lambda exchange: _patched(exchange.organisation.preferences, exchange.body),
    "GET /api/orgs": get_orgs,
    "POST /api/orgs": create_org,
    "GET /api/orgs/name/{org_name}": get_org_by_name,
    "GET /api/orgs/{org_id}": lambda exchange: (200, _details(_organisation(exchange))),
    "PUT /api/orgs/{org_id}": lambda exchange: _renamed(exchange, _organisation(exchange)),
    "DELETE /api/orgs/{org_id}": delete_org,
    "GET /api/orgs/{org_id}/users": lambda exchange: (200, _members(exchange, _organisation(exchange))),
    "GET /api/teams/search": search_teams,
    "POST /api/teams": create_team,
    "GET /api/teams/{team_id}": lambda exchange: (200, _told(_team(exchange))),
    "PUT /api/teams/{team_id}": put_team,
    "DELETE /api/teams/{team_id}": delete_team,
    "GET /api/teams/{team_id}/members": get_team_members,
    "POST /api/teams/{team_id}/members": add_team_member,
    "DELETE /api/teams/{team_id}/members/{user_id}": delete_team_member,
    "GET /api/user": get_user,
    "PUT /api/user": put_user,
    "GET /api/user/orgs": get_user_orgs,
    "GET /api/user/teams": get_user_teams,
    "GET /api/user/preferences": lambda exchange: (200, _own_preferences(exchange)),
    "PATCH /api/user/preferences": lambda exchange: _patched(_own_preferences(exchange), exchange.body),
    "POST /api/user/using/{org_id}": use_org,
    "GET /api/users/search": search_users,
    "GET /api/users/lookup": lookup_user,
    "GET /api/users/{user_id}": lambda exchange: (200, _profile(_user(exchange))),
    "PUT /api/users/{user_id}": lambda exchange: _put_profile(exchange, _user(exchange)),
    "POST /api/admin/users": create_user,
    "DELETE /api/admin/users/{user_id}": delete_user,
    "POST /api/admin/users/{user_id}/enable": lambda exchange: _set_disabled(exchange, False),
    "POST /api/admin/users/{user_id}/disable": lambda exchange: _set_disabled(exchange, True),
    "PUT /api/admin/users/{user_id}/password": put_password,
}
