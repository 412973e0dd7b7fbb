"""Teams."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.administration import teams
from kmcp_runtime import Effect

grafana_team_management = action_tool(
    __name__,
    "Manage teams and their members, who share permissions; search finds a team_id.",
    Action("search", Effect.READ, teams.search_teams),
    Action("get", Effect.READ, teams.get_team),
    Action("create", Effect.WRITE, teams.create_team, teams.NEW),
    Action("update", Effect.WRITE, teams.update_team, teams.CHANGED),
    Action("delete", Effect.DESTROY, teams.delete_team),
    Action("get_members", Effect.READ, teams.get_members),
    Action("add_member", Effect.WRITE, teams.add_member),
    Action("remove_member", Effect.DESTROY, teams.remove_member),
    find="search",
    first=("team_id", "user_id", "name"),
)
