"""Users."""

from typing import Annotated

from kmcp_grafana.actions.arguments import OrgId, Query, Spec, UserId
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.administration.users import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_user_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    user_id: UserId = None,
    org_id: OrgId = None,
    query: Query = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage users of the server (needs an administrator), or the identity of this server and its preferences."""
    return await TABLE.perform(grafana)
