"""Playlists, by Grafana's newer API where it exists, otherwise below `/api`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kmcp_grafana.actions.arguments import Fields, Query, Uid
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import cut_list, explain_empty
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.client import objects
from kmcp_grafana.client.api_groups import Group
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import Limit

_GROUP = "playlist.grafana.app"
_PATH = "/api/playlists"


class Entry(BaseModel):
    """What a playlist shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["dashboard_by_uid", "dashboard_by_tag"]
    value: Text


_ITEMS = Annotated[list[Entry], Field(min_length=1)]
NEW = Spec(name=required(Text), interval=required(Text), items=required(_ITEMS))
CHANGED = Spec(
    name=optional(Text), interval=optional(Text), items=optional(_ITEMS), either=("name", "interval", "items")
)


async def get_playlists(grafana: Grafana, limit: Limit = 100, query: Query | None = None) -> Answer:
    group = await grafana.groups.find(_GROUP)
    if group:
        rows = [_of_object(thing) for thing in await objects.list_objects(grafana, group, "playlists")]
        rows = [row for row in rows if query is None or query.lower() in row["name"].lower()]
    else:
        params: list[tuple[str, str | int]] = [("query", query)] if query else []
        rows = await grafana.read(_PATH, [*params, ("limit", limit + 1)])
    found = cut_list(rows, lambda row: pick(row, "uid", "name", "interval"), limit, "give query, or a larger limit")
    return explain_empty(found, "No playlist has this text in its name." if query else "There are no playlists.")


async def get_playlist(grafana: Grafana, uid: Uid) -> Answer:
    found, _ = await _read_playlist(grafana, uid)
    return Answer(item=found, url=grafana.link(at("/playlists/play/{}", uid)))


async def create_playlist(grafana: Grafana, spec: Fields) -> Answer:
    group = await grafana.groups.find(_GROUP)
    if group:
        body = objects.new_object(group, "Playlist", _spec(spec))
        request = Request(method="POST", path=group.path("playlists"), body=body)
    else:
        request = Request(method="POST", path=_PATH, body=spec)
    answer = await send_change(grafana, request, "created", before=None, after=spec, reply=("uid", "metadata"))
    return _identify(answer)


async def update_playlist(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    found, source = await _read_playlist(grafana, uid)
    # PUT replaces: fields that were not given are sent as they are.
    before = {field: found[field] for field in ("name", "interval", "items")}
    after = {**before, **spec}
    if source:
        group, thing = source
        body = objects.replace_spec(thing, _spec(after))
        request = Request(method="PUT", path=f"{group.path('playlists')}/{at('{}', uid)}", body=body)
    else:
        request = Request(method="PUT", path=f"{_PATH}/{at('{}', uid)}", body=after)
    return await send_change(grafana, request, "updated", before=before, after=after, about={"uid": uid})


async def delete_playlist(grafana: Grafana, uid: Uid) -> Answer:
    found, source = await _read_playlist(grafana, uid)
    path = f"{source[0].path('playlists') if source else _PATH}/{at('{}', uid)}"
    # The newer API tells a playlist from one that was made anew with its name.
    state = {**found, "object": source[1]["metadata"].get("uid") if source else None}
    return await send_deletion(
        grafana, Request(method="DELETE", path=path), about=pick(found, "uid", "name", "interval"), state=state
    )


async def _read_playlist(grafana: Grafana, uid: str) -> tuple[Row, tuple[Group, Row] | None]:
    """The playlist with its items, and the object that it is in the newer API."""
    group = await grafana.groups.find(_GROUP)
    if group:
        thing = await objects.read_object(grafana, group, "playlists", uid)
        return _of_object(thing), (group, thing)
    found = await grafana.read(f"{_PATH}/{at('{}', uid)}")
    # Older versions have a separate route for the items.
    items = found["items"] if "items" in found else await grafana.read(f"{_PATH}/{at('{}', uid)}/items")
    return {**pick(found, "uid", "name", "interval"), "items": [_entry(item) for item in items]}, None


def _of_object(thing: Row) -> Row:
    spec = thing["spec"]
    entries = [_entry(item) for item in spec.get("items") or ()]
    return {"uid": thing["metadata"]["name"], "name": spec["title"], "interval": spec["interval"], "items": entries}


def _entry(item: Row) -> Row:
    return {"type": item["type"], "value": item["value"]}


def _spec(fields: Row) -> Row:
    return {"title": fields["name"], "interval": fields["interval"], "items": fields["items"]}


def _identify(answer: Answer) -> Answer:
    """The uid, which the newer API keeps in the metadata."""
    item: Any = answer.item
    if isinstance(item, dict) and "metadata" in item:
        answer.item = {"uid": item["metadata"]["name"]}
    return answer
