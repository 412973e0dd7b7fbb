"""The actions of the dashboard tool."""

from typing import Annotated

from pydantic import Field

from kmcp_grafana.actions.changes import changed, deleted
from kmcp_grafana.actions.listing import Numbered, explained, numbered
from kmcp_grafana.actions.results import Answer, brief, whole
from kmcp_grafana.actions.specs import Spec, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import permissions, storage, versions
from kmcp_grafana.dashboards.model_paths import read_path
from kmcp_grafana.dashboards.outline import outline
from kmcp_grafana.dashboards.storage import Dashboard
from kmcp_runtime import Effect, bad_argument, conflict
from kmcp_runtime.json_patch import Operation, apply_patch
from kmcp_runtime.upstream import Refused

_HIT = ("uid", "title", "folderUid", "folderTitle", "tags", "isStarred")
_META = ("created", "createdBy", "updated", "updatedBy", "folderTitle", "provisioned")
_MODEL = dict[str, object]
_NEW = Spec(dashboard=required(_MODEL), folderUid=optional(str), message=optional(str))
_CHANGED = Spec(
    operations=optional(Annotated[list[Operation], Field(min_length=1)]),
    dashboard=optional(_MODEL),
    folderUid=optional(str),
    message=optional(str),
    overwrite=optional(bool),
    either=("operations", "dashboard", "folderUid"),
)


async def search(
    grafana: Grafana,
    limit: int,
    query: str | None = None,
    tags: list[str] | None = None,
    folder_uids: list[str] | None = None,
    starred: bool | None = None,
    cursor: str | None = None,
) -> Answer:
    params: list[tuple[str, str | int]] = [("type", "dash-db")]
    params += [("query", query)] if query else []
    params += [("tag", tag) for tag in tags or ()]
    params += [("folderUIDs", uid) for uid in folder_uids or ()]
    params += [("starred", "true")] if starred else []
    source = Numbered("/api/search", params, size="limit")
    found = await numbered(grafana, source, lambda row: brief(row, *_HIT), limit, cursor)
    return explained(found, "No dashboard matches: a query is part of a title, and all tags must be set.")


async def get(grafana: Grafana, uid: str, path: str | None = None) -> Answer:
    """An outline, or what is at a path: the whole model is rarely needed and long."""
    found = await storage.load(grafana, uid)
    if path is not None:
        return whole(read_path(found.model, path), grafana.link(found.link))
    told = {"uid": uid, "version": found.version, **({"folderUid": found.folder_uid} if found.folder_uid else {})}
    hint = "path=/panels/0 (or $ for all of it) shows the model itself."
    return Answer(
        item={**told, **brief(found.meta, *_META), **outline(found.model)},
        truncated=False,
        url=grafana.link(found.link),
        hint=hint,
    )


async def create(grafana: Grafana, spec: Row) -> Answer:
    model: Row = spec["dashboard"]
    await _refuse_existing(grafana, model)
    request = await storage.creation(grafana, model, spec.get("folderUid") or None, spec.get("message"))
    after = {**outline(model), **({"folderUid": spec["folderUid"]} if spec.get("folderUid") else {})}
    answer = await changed(
        grafana, request, "created", before=None, after=after, reply=("uid", "version", "url", "metadata")
    )
    return _identified(grafana, answer)


async def update(grafana: Grafana, uid: str, spec: Row, version: int | None = None) -> Answer:
    """By operations over the model as read, or with a whole model; `version` is the one that the caller saw."""
    found = await storage.load(grafana, uid)
    storage.refuse_managed(found)
    model = _wanted(found, spec)
    overwrite = bool(spec.get("overwrite"))
    seen = version or int((spec.get("dashboard") or {}).get("version") or 0) or found.version
    if seen != found.version and not overwrite:
        raise storage.changed_meanwhile(found, seen, found.version)
    folder = spec.get("folderUid")
    request = storage.saving(found, model, seen, folder, spec.get("message"), overwrite)
    before = {"folderUid": found.folder_uid or "", "dashboard": found.plain}
    after = {"folderUid": before["folderUid"] if folder is None else folder, "dashboard": storage.without_own(model)}
    return await _saved(grafana, request, found, seen, before, after)


async def delete(grafana: Grafana, uid: str) -> Answer:
    found = await storage.load(grafana, uid)
    storage.refuse_managed(found)
    panels = outline(found.model)["panels"]
    about = {"uid": uid, "title": found.title, "version": found.version, "folderUid": found.folder_uid or ""}
    along = {"panels": len(panels), "and": "its versions, permissions and annotations"}
    return await deleted(grafana, storage.deletion(found), about=about, takes_along=along)


async def get_permissions(grafana: Grafana, uid: str) -> Answer:
    return await permissions.shown(grafana, _permissions(uid))


async def update_permissions(grafana: Grafana, uid: str, spec: Row) -> Answer:
    return await permissions.replaced(grafana, _permissions(uid), spec, {"uid": uid})


async def _saved(grafana: Grafana, request: Request, found: Dashboard, seen: int, before: Row, after: Row) -> Answer:
    about = {"uid": found.uid, "title": str(after["dashboard"].get("title", found.title)), "version_before": seen}
    try:
        answer = await changed(
            grafana,
            request,
            "updated",
            before=before,
            after=after,
            about=about,
            reply=("version", "metadata"),
            link=found.link,
        )
    except Refused as refused:
        if not storage.is_version_conflict(refused):
            raise
        now = await storage.load(grafana, found.uid)
        if now.version == seen:  # It was refused for another reason, which Grafana tells.
            raise
        raise storage.changed_meanwhile(found, seen, now.version) from None
    return _identified(grafana, answer)


def _wanted(found: Dashboard, spec: Row) -> Row:
    if spec.get("dashboard") is not None and spec.get("operations") is not None:
        raise bad_argument("spec: dashboard and operations are two ways to say the same", "give one of them")
    if spec.get("operations") is not None:
        model = apply_patch(found.model, spec["operations"])
        if not isinstance(model, dict):
            raise bad_argument("operations: what they leave is not a model", "a model is a JSON object")
        return model
    return spec.get("dashboard") or found.model


async def _refuse_existing(grafana: Grafana, model: Row) -> None:
    if model.get("id") is not None:
        raise bad_argument("spec.dashboard: id is of an existing dashboard", "leave id out; action=update changes one")
    there = await storage.exists(grafana, str(model["uid"])) if model.get("uid") else None
    if there:
        raise conflict(
            f"a dashboard with uid {there.uid!r} exists: {there.title!r}, version {there.version}",
            "action=update changes it; another uid, or none, makes a new one",
            backend="grafana",
        )


def _identified(grafana: Grafana, answer: Answer) -> Answer:
    """The uid, version and address of what was saved, wherever this version of Grafana tells them."""
    item = answer.item if isinstance(answer.item, dict) else {}
    metadata = item.pop("metadata", None)
    if metadata:
        item |= {"uid": metadata["name"], "version": metadata.get("generation")}
    link = item.pop("url", None) or (at("/d/{}", item["uid"]) if item.get("uid") else None)
    answer.item = item or None
    answer.url = grafana.link(link) if link else answer.url
    return answer


def _permissions(uid: str) -> str:
    return at("/api/dashboards/uid/{}/permissions", uid)


TABLE = Table(
    Action(search, Effect.READ),
    Action(get, Effect.READ),
    Action(create, Effect.WRITE, _NEW),
    Action(update, Effect.WRITE, _CHANGED),
    Action(delete, Effect.DESTROY),
    Action(versions.get_versions, Effect.READ),
    Action(versions.get_version, Effect.READ),
    Action(versions.restore_version, Effect.WRITE),
    Action(get_permissions, Effect.READ),
    Action(update_permissions, Effect.DESTROY, permissions.SPEC),
    Action(versions.calculate_diff, Effect.READ, versions.OTHER),
    find="grafana_dashboard_management action=search",
)
