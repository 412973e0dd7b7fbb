"""Mute timings: when notifications are not sent."""

from typing import Annotated, Any

from pydantic import Field

from kmcp_grafana.actions.arguments import Fields, Name
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import explain_empty, slice_list
from kmcp_grafana.actions.results import Answer, pick, show_whole
from kmcp_grafana.actions.specs import Spec, Text, required
from kmcp_grafana.alerts import provenance
from kmcp_grafana.client.grafana import Grafana, Request, at
from kmcp_runtime import Cursor, Limit

_PATH = "/api/v1/provisioning/mute-timings"
NEW = Spec(name=required(Text), time_intervals=required(Annotated[list[dict[str, Any]], Field(min_length=1)]))


async def get_mute_timings(grafana: Grafana, limit: Limit = 100, cursor: Cursor = None) -> Answer:
    rows = await grafana.read(_PATH)
    found = slice_list(
        grafana, rows, lambda row: {"name": row["name"], "intervals": row.get("time_intervals")}, limit, cursor
    )
    return explain_empty(found, "There are no mute timings: action=create_mute_timing makes one.")


async def get_mute_timing(grafana: Grafana, name: Name) -> Answer:
    return show_whole(await grafana.read(_path_of(name)))


async def create_mute_timing(grafana: Grafana, spec: Fields) -> Answer:
    request = Request(method="POST", path=_PATH, body=spec, headers=provenance.headers(grafana, None))
    return await send_change(grafana, request, "created", before=None, after=spec, reply=("name",))


async def delete_mute_timing(grafana: Grafana, name: Name) -> Answer:
    found = await grafana.read(_path_of(name))
    kept = provenance.changeable("mute timing", name, found)
    # With the version that was read, Grafana refuses when somebody has changed it since.
    params = [("version", found["version"])] if found.get("version") else []
    headers = provenance.headers(grafana, kept)
    request = Request(method="DELETE", path=_path_of(name), params=params, headers=headers)
    return await send_deletion(grafana, request, about=pick(found, "name", "time_intervals"), state=found)


def _path_of(name: str) -> str:
    return f"{_PATH}/{at('{}', name)}"
