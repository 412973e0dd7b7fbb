"""Dashboards."""

from typing import Annotated

from kmcp_grafana.actions.arguments import Query, Spec, Tags, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.dashboards.editing import TABLE
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import Cursor, DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_dashboard_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    uid: Uid = None,
    version: Annotated[int | None, Word("Version; update: the one you saw", ge=1)] = None,
    query: Query = None,
    tags: Tags = None,
    folder_uids: Annotated[list[str] | None, Word("Folders")] = None,
    starred: Annotated[bool | None, Word("Only starred")] = None,
    path: Annotated[str | None, Word("JSON pointer or JSONPath into the model")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Find, read and change dashboards. get answers an outline; change parts with JSON patch operations."""
    return await TABLE.perform(grafana)
