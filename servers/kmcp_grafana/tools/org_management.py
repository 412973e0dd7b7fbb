"""Organisations."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.administration import organisations, preferences
from kmcp_runtime import Effect

grafana_org_management = action_tool(
    __name__,
    "Manage organisations, their members and preferences; use the _current actions for the own organisation.",
    Action("get_current", Effect.READ, organisations.get_current),
    Action("update_current", Effect.WRITE, organisations.update_current, organisations.NAME),
    Action("get_users", Effect.READ, organisations.get_users),
    Action("add_user", Effect.WRITE, organisations.add_user, organisations.MEMBERSHIP),
    Action("update_user", Effect.WRITE, organisations.update_user),
    Action("delete_user", Effect.DESTROY, organisations.delete_user),
    Action("get_preferences", Effect.READ, organisations.get_preferences),
    Action("update_preferences", Effect.WRITE, organisations.update_preferences, preferences.SPEC),
    Action("list_orgs", Effect.READ, organisations.list_orgs, admin=True),
    Action("get_org", Effect.READ, organisations.get_org, admin=True, either=("org_id", "name")),
    Action("create_org", Effect.WRITE, organisations.create_org, organisations.NAME, admin=True),
    Action("update_org", Effect.WRITE, organisations.update_org, organisations.NAME, admin=True),
    Action("delete_org", Effect.DESTROY, organisations.delete_org, admin=True),
    find="list_orgs",
    first=(
        "org_id",
        "user_id",
        "name",
    ),
)
