"""Health, snapshots and playlists: one tool's actions."""

from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.dashboards import playlists, snapshots
from kmcp_runtime import Effect


async def get_health(grafana: Grafana) -> Answer:
    """Works without credentials."""
    found = await grafana.read("/api/health")
    return Answer(item=brief(found, "version", "database", "commit", "apiserver"))


TABLE = Table(
    Action(get_health, Effect.READ),
    Action(snapshots.create_snapshot, Effect.WRITE, snapshots.SPEC),
    Action(snapshots.get_snapshot, Effect.READ),
    Action(snapshots.delete_snapshot, Effect.DESTROY),
    Action(playlists.get_playlists, Effect.READ),
    Action(playlists.get_playlist, Effect.READ),
    Action(playlists.create_playlist, Effect.WRITE, playlists.NEW),
    Action(playlists.update_playlist, Effect.WRITE, playlists.CHANGED),
    Action(playlists.delete_playlist, Effect.DESTROY),
    find="grafana_misc_management action=get_playlists",
)
