"""Organisations."""

from typing import Annotated

from kmcp_grafana.actions.arguments import Name, OrgId, Query, Spec, UserId
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.actions.specs import Role
from kmcp_grafana.administration.organisations import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_org_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    org_id: OrgId = None,
    user_id: UserId = None,
    name: Name = None,
    role: Annotated[Role | None, Word("Role")] = None,
    query: Query = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage organisations, their members and preferences; use the _current actions for the own organisation."""
    return await TABLE.perform(grafana)
