"""Snapshots: a dashboard's model and data, stored under a key."""

from typing import Annotated

from pydantic import Field

from kmcp_grafana.actions.arguments import Fields
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import storage
from kmcp_grafana.dashboards.outline import outline_of
from kmcp_runtime import bad_argument, denied

Key = Annotated[str, "Snapshot", Field(min_length=1)]

# Grafana keeps a snapshot for ever when nothing is said, and whoever knows its key can read it.
_HOUR = 3600
SPEC = Spec(
    dashboard=optional(dict[str, object]),
    uid=optional(Text),
    name=optional(Text),
    expires=optional(int),
    external=optional(bool),
    either=("dashboard", "uid"),
)


async def create_snapshot(grafana: Grafana, spec: Fields) -> Answer:
    if spec.get("external") and not grafana.settings.grafana_external_snapshots:
        raise denied(
            "external=true would publish the dashboard outside this Grafana",
            "leave it out; an operator allows it with GRAFANA_EXTERNAL_SNAPSHOTS",
        )
    if spec.get("dashboard") is not None and spec.get("uid") is not None:
        raise bad_argument("spec: dashboard and uid cannot be combined", "give one of them")
    model = spec.get("dashboard") or (await storage.load_dashboard(grafana, str(spec["uid"]))).model
    body: Row = {"dashboard": model, "name": spec.get("name") or model.get("title") or "Snapshot"}
    body |= {"expires": spec.get("expires", _HOUR), "external": bool(spec.get("external"))}
    after = {**{key: body[key] for key in ("name", "expires", "external")}, "panels": len(model.get("panels") or ())}
    request = Request(method="POST", path="/api/snapshots", body=body)
    answer = await send_change(grafana, request, "created", before=None, after=after, reply=("key", "url"))
    answer.hint = "It contains no data: only Grafana's pages put the data of panels into a snapshot."
    return answer


async def get_snapshot(grafana: Grafana, key: Key) -> Answer:
    found = await grafana.read(_path(key))
    meta = pick(found.get("meta") or {}, "created", "expires", "isSnapshot", "folderTitle")
    return Answer(
        item={**meta, **outline_of(found.get("dashboard") or {})},
        truncated=False,
        url=grafana.link(at("/dashboard/snapshot/{}", key)),
    )


async def delete_snapshot(grafana: Grafana, key: Key) -> Answer:
    found = await grafana.read(_path(key))
    about = {"key": key, "title": (found.get("dashboard") or {}).get("title")}
    return await send_deletion(grafana, Request(method="DELETE", path=_path(key)), about=about, state=found)


def _path(key: str) -> str:
    return at("/api/snapshots/{}", key)
