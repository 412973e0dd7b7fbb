"""Annotations: marks on graphs, made by people and by alerts."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from kmcp_grafana.actions.changes import changed, deleted
from kmcp_grafana.actions.listing import explained, limited
from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Effect, bad_argument, moment_of

_PATH = "/api/annotations"
_ROW = ("id", "time", "timeEnd", "text", "tags", "dashboardUID", "panelId", "alertName", "newState", "login")
_CHANGEABLE = ("text", "tags", "time", "timeEnd")
_Moment = Annotated[int | str, Field(description="Milliseconds since 1970, RFC 3339, or relative")]
_NEW = Spec(
    text=required(Text),
    time=optional(_Moment),
    timeEnd=optional(_Moment),
    tags=optional(list[str]),
    dashboardUID=optional(Text),
    panelId=optional(int),
)
_CHANGED = Spec(
    text=optional(Text), tags=optional(list[str]), time=optional(_Moment), timeEnd=optional(_Moment), either=_CHANGEABLE
)


async def get(
    grafana: Grafana,
    limit: int,
    start: float | None = None,
    end: float | None = None,
    tags: list[str] | None = None,
    type: str | None = None,
    dashboard_uid: str | None = None,
    panel_id: int | None = None,
) -> Answer:
    wanted = {
        "from": _millis(start),
        "to": _millis(end),
        "type": type,
        "dashboardUID": dashboard_uid,
        "panelId": panel_id,
        "limit": limit + 1,
    }
    params = [(name, value) for name, value in wanted.items() if value is not None]
    rows = await grafana.read(_PATH, [*params, *(("tags", tag) for tag in tags or ())])
    found = limited(rows, _row, limit, "narrow start and end, or name tags or a dashboard_uid")
    return explained(found, "None match: widen start and end, or leave tags out (all of them must be set).")


async def create(grafana: Grafana, spec: Row) -> Answer:
    body = {**spec, **_times(spec)}
    request = Request(method="POST", path=_PATH, body=body)
    return await changed(grafana, request, "created", before=None, after=_readable(body), reply=("id",))


async def update(grafana: Grafana, annotation_id: int, spec: Row) -> Answer:
    """By PATCH: a PUT would reset what is not named."""
    found = await _read(grafana, annotation_id)
    before = {field: found.get(field) for field in _CHANGEABLE}
    body = {**spec, **_times(spec)}
    request = Request(method="PATCH", path=_one(annotation_id), body=body)
    return await changed(
        grafana,
        request,
        "updated",
        before=_readable(before),
        after=_readable({**before, **body}),
        about=brief(found, "id", "dashboardUID", "panelId"),
    )


async def delete(grafana: Grafana, annotation_id: int) -> Answer:
    found = await _read(grafana, annotation_id)
    return await deleted(grafana, Request(method="DELETE", path=_one(annotation_id)), about=_row(found))


async def _read(grafana: Grafana, annotation_id: int) -> Row:
    found: Row = await grafana.read(_one(annotation_id))
    return found


def _row(found: Row) -> Row:
    return _readable(brief(found, *_ROW))


def _readable(fields: Row) -> Row:
    """Times as people read them."""
    shown = {name: _stamp(fields[name]) for name in ("time", "timeEnd") if isinstance(fields.get(name), int)}
    return {**fields, **shown}


def _stamp(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _times(spec: Row) -> Row:
    """The times of a spec as Grafana takes them, in milliseconds."""
    return {name: _of_text(name, spec[name]) for name in ("time", "timeEnd") if isinstance(spec.get(name), str)}


def _of_text(name: str, text: str) -> int:
    try:
        return round(float(moment_of(text)) * 1000)
    except ValueError as error:
        raise bad_argument(f"spec.{name}: {error}", "or give milliseconds since 1970") from None


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
