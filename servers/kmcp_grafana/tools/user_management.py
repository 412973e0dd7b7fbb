"""Users."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.administration import preferences, users
from kmcp_runtime import Effect

grafana_user_management = action_tool(
    __name__,
    "Manage users of the server (needs an administrator), or the identity of this server and its preferences.",
    Action("get_current", Effect.READ, users.get_current),
    Action("update_current", Effect.WRITE, users.update_current, users.CHANGED),
    Action("get_orgs", Effect.READ, users.get_orgs),
    Action("switch_org", Effect.WRITE, users.switch_org),
    Action("get_teams", Effect.READ, users.get_teams),
    Action("get_preferences", Effect.READ, users.get_preferences),
    Action("update_preferences", Effect.WRITE, users.update_preferences, preferences.SPEC),
    Action("list_users", Effect.READ, users.list_users, admin=True),
    Action("get_user", Effect.READ, users.get_user, admin=True, either=("user_id", "query")),
    Action("create_user", Effect.WRITE, users.create_user, users.NEW, admin=True),
    Action("update_user", Effect.WRITE, users.update_user, users.CHANGED, admin=True),
    Action("delete_user", Effect.DESTROY, users.delete_user, admin=True),
    Action("enable_user", Effect.WRITE, users.enable_user, admin=True),
    Action("disable_user", Effect.DESTROY, users.disable_user, admin=True),
    Action("update_password", Effect.DESTROY, users.update_password, users.PASSWORD, admin=True),
    find="list_users",
    first=("user_id",),
)
