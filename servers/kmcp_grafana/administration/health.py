"""Whether Grafana is well, and its version."""

from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.client.grafana import Grafana


async def get_health(grafana: Grafana) -> Answer:
    # This route needs no credentials, so it answers when all others say 401.
    found = await grafana.read("/api/health")
    return Answer(item=pick(found, "version", "database", "commit", "apiserver"))
