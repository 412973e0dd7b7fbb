"""Data sources."""

from typing import Annotated

from kmcp_grafana.actions.arguments import End, MaxPoints, Name, Spec, Start, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.datasources.sources import TABLE
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import DryRun, Effect, Limit, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_datasource_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    uid: Uid = None,
    name: Name = None,
    start: Start = None,
    end: End = None,
    max_points: MaxPoints = 200,
    limit: Limit = 100,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage and test data sources, or query one in its plugin's own fields; grafana_query is for PromQL and LogQL."""
    return await TABLE.perform(grafana)
