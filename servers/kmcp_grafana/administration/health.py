"""Health, snapshots and playlists: one tool's actions."""

from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.client.grafana import Grafana


async def get_health(grafana: Grafana) -> Answer:
    """Works without credentials."""
    found = await grafana.read("/api/health")
    return Answer(item=pick(found, "version", "database", "commit", "apiserver"))
