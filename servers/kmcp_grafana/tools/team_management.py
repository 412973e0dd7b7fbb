"""Teams."""

from typing import Annotated

from kmcp_grafana.actions.arguments import Name, Query, Spec, TeamId, UserId
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.administration.teams import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_team_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    team_id: TeamId = None,
    user_id: UserId = None,
    name: Name = None,
    query: Query = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage teams and their members, who share permissions; search finds a team_id."""
    return await TABLE.perform(grafana)
