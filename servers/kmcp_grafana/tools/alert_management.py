"""Alert rules and where alerts are sent."""

from typing import Annotated

from kmcp_grafana.actions.arguments import FolderUid, Name, Spec, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.alerts.rules import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_alert_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    uid: Uid = None,
    folder_uid: FolderUid = None,
    group: Annotated[str | None, Word("Rule group")] = None,
    name: Name = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage alert rules, contact points, policies and mute timings; grafana_alert_state shows what fires."""
    return await TABLE.perform(grafana)
