"""Dashboards: found, outlined, made, changed, deleted."""

from typing import Annotated

from pydantic import Field

from kmcp_grafana.actions.arguments import Fields, Query, Tags, Uid
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import NumberedList, explain_empty, read_numbered_page
from kmcp_grafana.actions.results import Answer, pick, show_whole
from kmcp_grafana.actions.specs import Spec, optional, required
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import permissions, storage
from kmcp_grafana.dashboards.model_paths import ModelPath, read_path
from kmcp_grafana.dashboards.outline import outline_of
from kmcp_grafana.dashboards.storage import Dashboard, Version
from kmcp_runtime import Cursor, Limit, bad_argument, conflict, redaction
from kmcp_runtime.json_patch import Operation, apply_patch
from kmcp_runtime.upstream import Refused
from kmcp_runtime.worker import run_in_thread

FolderUids = Annotated[list[str], "Folders"]
Starred = Annotated[bool, "Only starred"]

_HIT = ("uid", "title", "folderUid", "folderTitle", "tags", "isStarred")
_META = ("created", "createdBy", "updated", "updatedBy", "folderTitle", "provisioned")
_MODEL = dict[str, object]
NEW = Spec(dashboard=required(_MODEL), folderUid=optional(str), message=optional(str))
CHANGED = Spec(
    restores=True,
    operations=optional(Annotated[list[Operation], Field(min_length=1)]),
    dashboard=optional(_MODEL),
    folderUid=optional(str),
    message=optional(str),
    overwrite=optional(bool),
    either=("operations", "dashboard", "folderUid"),
)


async def search_dashboards(
    grafana: Grafana,
    limit: Limit = 50,
    query: Query | None = None,
    tags: Tags | None = None,
    folder_uids: FolderUids | None = None,
    starred: Starred | None = None,
    cursor: Cursor = None,
) -> Answer:
    params: list[tuple[str, str | int]] = [("type", "dash-db")]
    params += [("query", query)] if query else []
    params += [("tag", tag) for tag in tags or ()]
    params += [("folderUIDs", uid) for uid in folder_uids or ()]
    params += [("starred", "true")] if starred else []
    source = NumberedList("/api/search", params, size="limit")
    found = await read_numbered_page(grafana, source, lambda row: pick(row, *_HIT), limit, cursor)
    return explain_empty(
        found, "No dashboard matches: query is a part of the title, and a dashboard must have all the tags."
    )


async def get_dashboard(grafana: Grafana, uid: Uid, path: ModelPath | None = None) -> Answer:
    """An outline, or the part of the model at a path."""
    found = await storage.load_dashboard(grafana, uid)
    if path is not None:
        return show_whole(read_path(found.model, path), grafana.link(found.link))
    shown = {"uid": uid, "version": found.version, **({"folderUid": found.folder_uid} if found.folder_uid else {})}
    # The whole model is long, and rarely needed.
    hint = "path=/panels/0 (or $ for all of it) shows the model itself."
    return Answer(
        item={**shown, **pick(found.meta, *_META), **outline_of(found.model)},
        truncated=False,
        url=grafana.link(found.link),
        hint=hint,
    )


async def create_dashboard(grafana: Grafana, spec: Fields) -> Answer:
    model: Row = spec["dashboard"]
    await _refuse_existing(grafana, model)
    request = await storage.prepare_creation(grafana, model, spec.get("folderUid") or None, spec.get("message"))
    after = {**outline_of(model), **({"folderUid": spec["folderUid"]} if spec.get("folderUid") else {})}
    answer = await send_change(
        grafana, request, "created", before=None, after=after, reply=("uid", "version", "url", "metadata")
    )
    return _identify(grafana, answer)


async def update_dashboard(grafana: Grafana, uid: Uid, spec: Fields, version: Version | None = None) -> Answer:
    """Change a dashboard by operations or by a whole model; `version` is the one that the caller saw."""
    found = await storage.load_dashboard(grafana, uid)
    storage.refuse_managed(found)
    model = await run_in_thread(_wanted_model, found, spec)
    overwrite = bool(spec.get("overwrite"))
    # A whole model holds the version that it was read at, which protects as well as the argument does.
    seen = version or int((spec.get("dashboard") or {}).get("version") or 0) or found.version
    if seen != found.version and not overwrite:
        raise storage.conflict_of_versions(found, seen, found.version)
    folder = spec.get("folderUid")
    request = storage.prepare_saving(found, model, seen, folder, spec.get("message"), overwrite)
    before = {"folderUid": found.folder_uid or "", "dashboard": found.plain}
    after = {"folderUid": before["folderUid"] if folder is None else folder, "dashboard": storage.without_own(model)}
    return await _save(grafana, request, found, seen, before, after)


async def delete_dashboard(grafana: Grafana, uid: Uid) -> Answer:
    found = await storage.load_dashboard(grafana, uid)
    storage.refuse_managed(found)
    panels = outline_of(found.model)["panels"]
    about = {"uid": uid, "title": found.title, "version": found.version, "folderUid": found.folder_uid or ""}
    along = {"panels": len(panels), "and": "its versions, permissions and annotations"}
    request = storage.prepare_deletion(found)
    return await send_deletion(grafana, request, about=about, takes_along=along, state=storage.state_of(found))


async def get_permissions(grafana: Grafana, uid: Uid) -> Answer:
    return await permissions.list_permissions(grafana, _permissions(uid))


async def update_permissions(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    return await permissions.replace_permissions(grafana, _permissions(uid), spec, {"uid": uid})


async def _save(grafana: Grafana, request: Request, found: Dashboard, seen: int, before: Row, after: Row) -> Answer:
    about = {"uid": found.uid, "title": str(after["dashboard"].get("title", found.title)), "version_before": seen}
    try:
        answer = await send_change(
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
        now = await storage.load_dashboard(grafana, found.uid)
        if now.version == seen:  # Refused for another reason, which Grafana has named.
            raise
        raise storage.conflict_of_versions(found, seen, now.version) from None
    return _identify(grafana, answer)


def _wanted_model(found: Dashboard, spec: Row) -> Row:
    if spec.get("dashboard") is not None and spec.get("operations") is not None:
        raise bad_argument("spec: dashboard and operations cannot be combined", "give one of them")
    redaction.refuse_marks({"spec": {name: spec[name] for name in ("folderUid", "message") if name in spec}})
    if spec.get("operations") is not None:
        redaction.refuse_exposure(spec["operations"], found.model, "spec.operations")
        operations = redaction.restore_operations(spec["operations"], found.model, "spec.operations")
        model = apply_patch(found.model, operations)
        if not isinstance(model, dict):
            raise bad_argument("operations: the result is not a model", "a model is a JSON object")
        return model
    if spec.get("dashboard"):
        whole: Row = redaction.restore(spec["dashboard"], found.model, "spec.dashboard")
        return whole
    return found.model


async def _refuse_existing(grafana: Grafana, model: Row) -> None:
    if model.get("id") is not None:
        raise bad_argument(
            "spec.dashboard: id belongs to an existing dashboard", "leave id out; action=update changes one"
        )
    # `POST /api/dashboards/db` would overwrite it when the versions happen to agree.
    there = await storage.find_dashboard(grafana, str(model["uid"])) if model.get("uid") else None
    if there:
        raise conflict(
            f"a dashboard with uid {there.uid!r} exists: {there.title!r}, version {there.version}",
            "action=update changes it; another uid, or none, makes a new one",
            backend="grafana",
        )


def _identify(grafana: Grafana, answer: Answer) -> Answer:
    """The answer with uid, version and address, wherever this version of Grafana puts them."""
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
