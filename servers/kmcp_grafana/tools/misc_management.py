"""Health, snapshots and playlists."""

from typing import Annotated

from kmcp_grafana.actions.arguments import Query, Spec, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.administration.health import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_misc_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    uid: Uid = None,
    key: Annotated[str | None, Word("Snapshot", min_length=1)] = None,
    query: Query = None,
    limit: Limit = 100,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Check Grafana's health and version; manage snapshots of dashboards, and playlists that show them in turn."""
    return await TABLE.perform(grafana)
