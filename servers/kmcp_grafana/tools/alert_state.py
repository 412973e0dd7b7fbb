"""States of alerts."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from kmcp_grafana.actions.arguments import End, FolderUid, identifier
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.alerts.states import TABLE
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.tools import STAND_IN
from kmcp_runtime import DryRun, Effect, Limit, Word, injected, tool

State = Literal["firing", "pending", "normal", "nodata", "error"]


@tool(Effect.WRITE, by=TABLE.by(), extra=True, verified="stand-in", why=STAND_IN)
async def grafana_alert_state(
    action: Annotated[str, TABLE.values(), TABLE.word()],
    state: Annotated[State | None, Word("State of rules")] = None,
    folder_uid: FolderUid = None,
    matchers: Annotated[list[str] | None, Word("Labels, e.g. severity=~crit.*")] = None,
    silence_id: Annotated[str | None, AfterValidator(identifier), Word("Silence")] = None,
    end: End = None,
    comment: Annotated[str | None, Word("Why", min_length=1)] = None,
    limit: Limit = 50,
    dry_run: DryRun = False,
    grafana: Grafana = injected(),
) -> Answer:
    """Show which rules fire or fail and which alerts are silenced; silence alerts during maintenance."""
    return await TABLE.perform(grafana)
