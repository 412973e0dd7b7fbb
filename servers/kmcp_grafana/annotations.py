"""Annotations: marks on graphs, made by people and by alerts."""

from kmcp_grafana.changes import changed, deleted, merged
from kmcp_grafana.client import Grafana, Request, at
from kmcp_grafana.listing import explained, limited
from kmcp_grafana.results import Answer, Row, brief
from kmcp_grafana.specs import Millis, Spec, Text, optional, required
from kmcp_grafana.table import Action, Table
from kmcp_runtime.tool import Effect

_PATH = "/api/annotations"
_ROW = ("id", "time", "timeEnd", "text", "tags", "dashboardUID", "panelId", "alertName", "newState", "login")
_CHANGEABLE = ("text", "tags", "time", "timeEnd")
_NEW = Spec(
    text=required(Text), time=optional(Millis), timeEnd=optional(Millis), tags=optional(list[str]),
    dashboardUID=optional(Text), panelId=optional(int),
)  # fmt: skip
_CHANGED = Spec(
    text=optional(Text), tags=optional(list[str]), time=optional(Millis), timeEnd=optional(Millis), either=_CHANGEABLE
)


async def get(
    grafana: Grafana, limit: int, start: float | None = None, end: float | None = None,
    tags: list[str] | None = None, type: str | None = None, dashboard_uid: str | None = None,
    panel_id: int | None = None,
) -> Answer:  # fmt: skip
    wanted = {
        "from": _millis(start), "to": _millis(end), "type": type, "dashboardUID": dashboard_uid, "panelId": panel_id,
        "limit": limit + 1,
    }  # fmt: skip
    params = [(name, value) for name, value in wanted.items() if value is not None]
    rows = await grafana.read(_PATH, [*params, *(("tags", tag) for tag in tags or ())])
    found = limited(rows, lambda row: brief(row, *_ROW), limit, "narrow start and end, or name tags or a dashboard_uid")
    return explained(found, "None match: widen start and end, or leave tags out (all of them must be set).")


async def create(grafana: Grafana, spec: Row) -> Answer:
    request = Request(method="POST", path=_PATH, body=spec)
    return await changed(grafana, request, "created", before=None, after=spec, reply=("id",))


async def update(grafana: Grafana, annotation_id: int, spec: Row) -> Answer:
    """By PATCH: a PUT would reset what is not named."""
    found = await _read(grafana, annotation_id)
    before = {field: found.get(field) for field in _CHANGEABLE}
    request = Request(method="PATCH", path=_one(annotation_id), body=spec)
    about = brief(found, "id", "dashboardUID", "panelId")
    return await changed(grafana, request, "updated", before=before, after=merged(before, spec), about=about)


async def delete(grafana: Grafana, annotation_id: int) -> Answer:
    found = await _read(grafana, annotation_id)
    return await deleted(grafana, Request(method="DELETE", path=_one(annotation_id)), about=brief(found, *_ROW))


async def _read(grafana: Grafana, annotation_id: int) -> Row:
    found: Row = await grafana.read(_one(annotation_id))
    return found


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _one(annotation_id: int) -> str:
    return at(_PATH + "/{}", annotation_id)


TABLE = Table(
    Action(get, Effect.READ),
    Action(create, Effect.WRITE, _NEW),
    Action(update, Effect.WRITE, _CHANGED),
    Action(delete, Effect.DESTROY),
    find="grafana_annotation_management action=get",
)
