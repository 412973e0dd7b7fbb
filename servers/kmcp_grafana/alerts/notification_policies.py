"""The tree of notification policies: which alert goes to which contact point."""

from typing import Any

from kmcp_grafana.actions.arguments import Fields
from kmcp_grafana.actions.changes import send_change
from kmcp_grafana.actions.results import Answer, show_whole
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.alerts import provenance
from kmcp_grafana.client.grafana import Grafana, Request

_PATH = "/api/v1/provisioning/policies"
TREE = Spec(
    receiver=required(Text),
    group_by=optional(list[str]),
    routes=optional(list[dict[str, Any]]),
    group_wait=optional(Text),
    group_interval=optional(Text),
    repeat_interval=optional(Text),
)


async def get_notification_policies(grafana: Grafana) -> Answer:
    return show_whole(await grafana.read(_PATH))


async def update_notification_policies(grafana: Grafana, spec: Fields) -> Answer:
    """Replace the whole tree."""
    before = await grafana.read(_PATH)
    kept = provenance.changeable("notification policy tree", "of this organisation", before)
    request = Request(method="PUT", path=_PATH, body=spec, headers=provenance.headers(grafana, kept))
    # The difference is the only protection: routes that the caller did not repeat are gone.
    return await send_change(
        grafana,
        request,
        "replaced",
        before={field: value for field, value in before.items() if field != "provenance"},
        after=spec,
    )
