"""States of alerts."""

from kmcp_grafana.actions.table import Action, action_tool
from kmcp_grafana.alerts import silences, states
from kmcp_runtime import Effect

grafana_alert_state = action_tool(
    __name__,
    "Show which rules fire or fail and which alerts are silenced; silence alerts during maintenance.",
    Action("rules", Effect.READ, states.list_rules),
    Action("alerts", Effect.READ, states.list_alerts),
    Action("silences", Effect.READ, silences.list_silences),
    Action("create_silence", Effect.WRITE, silences.create_silence),
    Action("expire_silence", Effect.WRITE, silences.expire_silence),
    find="silences",
    first=("state", "folder_uid", "matchers", "silence_id"),
    extra=True,
)
