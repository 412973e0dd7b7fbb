"""Annotations."""

from typing import Annotated, Literal

from kmcp_grafana.actions.arguments import End, Spec, Start, Tags, Uid
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.dashboards.annotations import TABLE
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import DryRun, Effect, Limit, Word, injected, tool


@tool(Effect.DESTROY, by=TABLE.by(), verified="stand-in", why=STAND_IN)
async def grafana_annotation_management(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    annotation_id: Annotated[int | None, Word("Annotation", ge=1)] = None,
    start: Start = None,
    end: End = None,
    tags: Tags = None,
    type: Annotated[Literal["alert", "annotation"] | None, Word("Made by")] = None,
    dashboard_uid: Uid = None,
    panel_id: Annotated[int | None, Word("Panel", ge=0)] = None,
    limit: Limit = 100,
    spec: Spec = None,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Read and make marks on graphs: deployments, incidents, state changes of alerts."""
    return await TABLE.perform(grafana)
