"""Folders."""

from typing import Annotated

from kmcp_grafana.actions.arguments import FolderUid, Spec, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.dashboards.folders import TABLE
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_folder_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    uid: Uid = None,
    parent_uid: FolderUid = None,
    force_delete_rules: Annotated[bool, Word("Alert rules, too")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Manage the folders that hold dashboards and alert rules; a deleted folder takes along what is in it."""
    return await TABLE.perform(grafana)
