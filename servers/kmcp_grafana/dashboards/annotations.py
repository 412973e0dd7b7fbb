"""Annotations: marks on graphs, made by people and by alerts."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from kmcp_grafana.actions.arguments import End, Fields, PanelId, Start, Tags, Uid
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.moments import start_of
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Limit, bad_argument

AnnotationId = Annotated[int, "Annotation", Field(ge=1)]
MadeBy = Annotated[Literal["alert", "annotation"], "Made by"]

_PATH = "/api/annotations"
_ROW = ("id", "time", "timeEnd", "text", "tags", "dashboardUID", "panelId", "alertName", "newState", "login")
_CHANGEABLE = ("text", "tags", "time", "timeEnd")
_FARTHEST = 253_402_300_799_000
"""The end of the year 9999, in milliseconds."""
_Moment = Annotated[
    int | float | str, Field(description="Since 1970 in seconds or milliseconds, RFC 3339, or relative")
]
NEW = Spec(
    text=required(Text),
    time=optional(_Moment),
    timeEnd=optional(_Moment),
    tags=optional(list[str]),
    dashboardUID=optional(Text),
    panelId=optional(int),
)
CHANGED = Spec(
    text=optional(Text), tags=optional(list[str]), time=optional(_Moment), timeEnd=optional(_Moment), either=_CHANGEABLE
)


async def get_annotations(
    grafana: Grafana,
    limit: Limit = 100,
    start: Start | None = None,
    end: End | None = None,
    tags: Tags | None = None,
    type: MadeBy | None = None,
    dashboard_uid: Uid | None = None,
    panel_id: PanelId | None = None,
) -> Answer:
    since, until = _bounds(start, end)
    wanted = {
        "from": since,
        "to": until,
        "type": type,
        "dashboardUID": dashboard_uid,
        "panelId": panel_id,
        "limit": limit + 1,
    }
    params = [(name, value) for name, value in wanted.items() if value is not None]
    rows = await grafana.read(_PATH, [*params, *(("tags", tag) for tag in tags or ())])
    found = cut_list(rows, _row, limit, "narrow start and end, or name tags or a dashboard_uid")
    return explain_empty(
        found, "None match: widen start and end, or leave tags out (an annotation must have all of them)."
    )


async def create_annotation(grafana: Grafana, spec: Fields) -> Answer:
    body = {**spec, **_times(spec)}
    request = Request(method="POST", path=_PATH, body=body)
    return await send_change(grafana, request, "created", before=None, after=_readable(body), reply=("id",))


async def update_annotation(grafana: Grafana, annotation_id: AnnotationId, spec: Fields) -> Answer:
    found = await _read_annotation(grafana, annotation_id)
    before = {field: found.get(field) for field in _CHANGEABLE}
    body = {**spec, **_times(spec)}
    # A PUT would reset the fields that are not named.
    request = Request(method="PATCH", path=_path_of(annotation_id), body=body)
    return await send_change(
        grafana,
        request,
        "updated",
        before=_readable(before),
        after=_readable({**before, **body}),
        about=pick(found, "id", "dashboardUID", "panelId"),
    )


async def delete_annotation(grafana: Grafana, annotation_id: AnnotationId) -> Answer:
    found = await _read_annotation(grafana, annotation_id)
    request = Request(method="DELETE", path=_path_of(annotation_id))
    return await send_deletion(grafana, request, about=_row(found), state=found)


async def _read_annotation(grafana: Grafana, annotation_id: int) -> Row:
    found: Row = await grafana.read(_path_of(annotation_id))
    return found


def _row(found: Row) -> Row:
    return _readable(pick(found, *_ROW))


def _readable(fields: Row) -> Row:
    """Times as people read them."""
    shown = {name: _stamp(fields[name]) for name in ("time", "timeEnd") if isinstance(fields.get(name), int)}
    return {**fields, **shown}


def _stamp(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _times(spec: Row) -> Row:
    """The times of a spec as Grafana takes them, in milliseconds."""
    return {name: _milliseconds(name, spec[name]) for name in ("time", "timeEnd") if spec.get(name) is not None}


def _milliseconds(name: str, value: float | str) -> int:
    try:
        return round(float(start_of(value)) * 1000)
    except ValueError as error:
        raise bad_argument(f"spec.{name}: {error}", "or give milliseconds since 1970") from None


def _bounds(start: float | None, end: float | None) -> tuple[int | None, int | None]:
    """From and to in milliseconds, both or neither."""
    if start is None and end is None:
        return None, None
    # Grafana ignores a bound that stands alone, so an open end becomes the farthest moment.
    # Zero counts as absent, too.
    return max(round((start or 0) * 1000), 1), _FARTHEST if end is None else round(end * 1000)


def _path_of(annotation_id: int) -> str:
    return at(_PATH + "/{}", annotation_id)
