"""The server as the entry point `grafana` declares it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kmcp_runtime import Server

if TYPE_CHECKING:
    from kmcp_grafana.settings import GrafanaSettings

INSTRUCTIONS = (
    "Grafana through its API. Each tool has actions; the description of action says what each takes. Find a uid with "
    "action=search or list first. Dashboards: get answers an outline, path reads a part of the model, update takes "
    "JSON patch operations. Every change takes dry_run=true and answers with a diff."
)


def _open(settings: GrafanaSettings) -> Any:
    # The HTTP client is loaded when a server starts: listing tools for the catalog needs none.
    from kmcp_grafana.client.backend import open_backend

    return open_backend(settings)


SERVER = Server(
    package=__package__,
    name="grafana",
    title="Grafana",
    description="Read and change dashboards, alerts, data sources and the administration of a Grafana.",
    instructions=INSTRUCTIONS,
    port=8088,
    settings_at="kmcp_grafana.settings:GrafanaSettings",
    open=_open,
    # More than other servers: each tool lists what its actions take, in place of a tool for each action.
    token_limit=450,
    egress=("{GRAFANA_URL}",),
    category="observability",
    tags=("grafana", "dashboards", "alerts"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
