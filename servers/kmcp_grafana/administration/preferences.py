"""Preferences of an organisation or a user."""

from typing import Literal

from kmcp_grafana.actions.changes import merge_fields, send_change
from kmcp_grafana.actions.results import Answer
from kmcp_grafana.actions.specs import Spec, optional
from kmcp_grafana.client.grafana import Grafana, Request, Row

SPEC = Spec(
    theme=optional(Literal["light", "dark"]),
    homeDashboardUID=optional(str),
    timezone=optional(str),
    weekStart=optional(Literal["", "saturday", "sunday", "monday", "browser"]),
    language=optional(str),
)


async def read_preferences(grafana: Grafana, path: str) -> Answer:
    return Answer(item=await grafana.read(path))


async def update_preferences(grafana: Grafana, path: str, spec: Row) -> Answer:
    before = await grafana.read(path)
    # A PUT would reset the preferences that are not named.
    request = Request(method="PATCH", path=path, body=spec)
    return await send_change(grafana, request, "updated", before=before, after=merge_fields(before, spec))
