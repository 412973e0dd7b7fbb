"""Health, snapshots and playlists."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.administration import health
from kmcp_grafana.dashboards import playlists, snapshots
from kmcp_runtime import Effect

grafana_misc_management = action_tool(
    __name__,
    "Check Grafana's health and version; manage snapshots of dashboards, and playlists that show them in turn.",
    Action("get_health", Effect.READ, health.get_health),
    Action("create_snapshot", Effect.WRITE, snapshots.create_snapshot, snapshots.SPEC),
    Action("get_snapshot", Effect.READ, snapshots.get_snapshot),
    Action("delete_snapshot", Effect.DESTROY, snapshots.delete_snapshot),
    Action("get_playlists", Effect.READ, playlists.get_playlists),
    Action("get_playlist", Effect.READ, playlists.get_playlist),
    Action("create_playlist", Effect.WRITE, playlists.create_playlist, playlists.NEW),
    Action("update_playlist", Effect.WRITE, playlists.update_playlist, playlists.CHANGED),
    Action("delete_playlist", Effect.DESTROY, playlists.delete_playlist),
    find="get_playlists",
    first=("uid",),
)
