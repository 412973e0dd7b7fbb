"""Folders: in Grafana's newer API where it is served, else below `/api`.

Listing by parent, deletion with what is inside, counts and permissions have no equal in the newer API.
"""

from dataclasses import dataclass

from kmcp_grafana.actions.changes import changed, deleted
from kmcp_grafana.actions.listing import Numbered, explained, numbered
from kmcp_grafana.actions.results import Answer, brief
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.actions.table import Action, Table
from kmcp_grafana.client import objects
from kmcp_grafana.client.api_groups import Group
from kmcp_grafana.client.failures import managed
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import permissions, storage
from kmcp_runtime import Effect, conflict
from kmcp_runtime.upstream import Refused

_GROUP = "folder.grafana.app"
_ROW = ("uid", "title", "parentUid", "managedBy")
_NEW = Spec(title=required(Text), uid=optional(Text), parentUid=optional(str), description=optional(str))
_CHANGED = Spec(
    title=optional(Text),
    description=optional(str),
    parentUid=optional(str),
    version=optional(int),
    overwrite=optional(bool),
    either=("title", "description", "parentUid"),
)


@dataclass(frozen=True)
class Folder:
    uid: str
    title: str
    description: str
    parent_uid: str
    version: int
    link: str
    group: Group | None
    found: Row

    def shown(self) -> Row:
        named = {"uid": self.uid, "title": self.title, "parentUid": self.parent_uid, "description": self.description}
        return {**brief(named, *named), "version": self.version}


async def list_(grafana: Grafana, limit: int, parent_uid: str | None = None, cursor: str | None = None) -> Answer:
    params = [("parentUid", parent_uid)] if parent_uid else []
    source = Numbered("/api/folders", params, size="limit")
    found = await numbered(grafana, source, lambda row: brief(row, *_ROW), limit, cursor)
    inside = f"Folder {parent_uid} has no folders in it." if parent_uid else "There are no folders at the top."
    return explained(found, inside + " Only folders that this server's identity may see are listed.")


async def get(grafana: Grafana, uid: str) -> Answer:
    found = await load(grafana, uid)
    meta = brief(found.found, "created", "createdBy", "updated", "updatedBy", "managedBy")
    return Answer(item={**found.shown(), **meta}, url=grafana.link(found.link))


async def create(grafana: Grafana, spec: Row) -> Answer:
    group = await grafana.served.group(_GROUP)
    if group:
        parent = {objects.FOLDER: spec["parentUid"]} if spec.get("parentUid") else None
        body = objects.new(
            group, "Folder", brief(spec, "title", "description"), name=spec.get("uid"), annotations=parent
        )
        request = Request(method="POST", path=group.path("folders"), body=body)
    else:
        request = Request(method="POST", path="/api/folders", body=spec)
    answer = await changed(grafana, request, "created", before=None, after=spec, reply=("uid", "title", "metadata"))
    return _identified(grafana, answer)


async def update(grafana: Grafana, uid: str, spec: Row) -> Answer:
    """Rename, describe or move; a move has a route of its own in the older API."""
    found = await load(grafana, uid)
    _refuse_managed(found)
    seen, overwrite = int(spec.get("version") or found.version), bool(spec.get("overwrite"))
    if seen != found.version and not overwrite:
        raise _changed_meanwhile(found, seen)
    before = {"title": found.title, "description": found.description, "parentUid": found.parent_uid}
    after = {**before, **{field: spec[field] for field in before if field in spec}}
    try:
        if found.group:
            return await _replaced(grafana, found, found.group, before, after, overwrite)
        more = {"overwrite": overwrite, **({"description": spec["description"]} if "description" in spec else {})}
        return await _routed(grafana, found, before, after, more)
    except Refused as refused:
        if not storage.is_version_conflict(refused):
            raise
        now = await load(grafana, uid)
        if now.version == seen:  # It was refused for another reason, which Grafana tells.
            raise
        raise _changed_meanwhile(now, seen) from None


async def delete(grafana: Grafana, uid: str, force_delete_rules: bool = False) -> Answer:
    found = await load(grafana, uid)
    _refuse_managed(found)
    counts = await grafana.read(at("/api/folders/{}/counts", uid))
    along = {name: count for name, count in counts.items() if count}
    params = [("forceDeleteRules", "true")] if force_delete_rules else []
    request = Request(method="DELETE", path=_path(uid), params=params)
    answer = await deleted(grafana, request, about=found.shown(), takes_along=along)
    if any("rule" in name.lower() for name in along) and not force_delete_rules:
        answer.warnings = ["it holds alert rules: Grafana refuses, unless force_delete_rules=true deletes them, too"]
    return answer


async def get_permissions(grafana: Grafana, uid: str) -> Answer:
    return await permissions.shown(grafana, f"{_path(uid)}/permissions")


async def update_permissions(grafana: Grafana, uid: str, spec: Row) -> Answer:
    return await permissions.replaced(grafana, f"{_path(uid)}/permissions", spec, {"uid": uid})


async def load(grafana: Grafana, uid: str) -> Folder:
    """The folder; `not_found` with those whose title is like the uid."""
    group = await grafana.served.group(_GROUP)
    try:
        if group:
            return _of_object(await objects.read(grafana, group, "folders", uid), group)
        found = await grafana.read(_path(uid))
    except Refused as refused:
        if refused.status != 404:
            raise
        raise await storage.like(grafana, uid, "folder", "dash-folder", "grafana_folder_management") from None
    link = found.get("url") or at("/dashboards/f/{}", uid)
    return Folder(
        uid,
        found["title"],
        found.get("description") or "",
        found.get("parentUid") or "",
        int(found.get("version") or 0),
        link,
        None,
        found,
    )


async def _replaced(grafana: Grafana, found: Folder, group: Group, before: Row, after: Row, overwrite: bool) -> Answer:
    spec = {**found.found["spec"], **brief(after, "title"), "description": after["description"]}
    spec = {field: value for field, value in spec.items() if value != "" or field in found.found["spec"]}
    body = objects.replacement(
        found.found, spec, annotations={objects.FOLDER: after["parentUid"] or None}, version=not overwrite
    )
    request = Request(method="PUT", path=f"{group.path('folders')}/{at('{}', found.uid)}", body=body)
    return await changed(
        grafana, request, "updated", before=before, after=after, about={"uid": found.uid}, link=found.link
    )


async def _routed(grafana: Grafana, found: Folder, before: Row, after: Row, more: Row) -> Answer:
    """A move first, then the rest, which names the version that it changes."""
    moves, about = after["parentUid"] != before["parentUid"], {"uid": found.uid}
    renamed = {**after, "parentUid": before["parentUid"]} != before
    body = {"title": after["title"], "version": found.version, **more}
    rename = Request(method="PUT", path=_path(found.uid), body=body)
    if not moves:
        return await changed(grafana, rename, "updated", before=before, after=after, about=about, link=found.link)
    move = Request(method="POST", path=f"{_path(found.uid)}/move", body={"parentUid": after["parentUid"]})
    answer = await changed(grafana, move, "moved", before=before, after=after, about=about, link=found.link)
    if renamed and grafana.dry_run:
        answer.request = f"{move.shown()}, then {rename.shown()}"
    elif renamed:
        now = await load(grafana, found.uid)
        await grafana.send(Request(method="PUT", path=_path(found.uid), body={**body, "version": now.version}))
        answer.result = "moved and updated"
    return answer


def _of_object(found: Row, group: Group) -> Folder:
    metadata, spec = found["metadata"], found["spec"]
    uid = str(metadata["name"])
    parent = objects.annotation(found, objects.FOLDER) or ""
    version = int(metadata.get("generation") or 0)
    link = at("/dashboards/f/{}", uid)
    return Folder(uid, spec["title"], spec.get("description") or "", parent, version, link, group, found)


def _refuse_managed(folder: Folder) -> None:
    if folder.group:
        objects.refuse_managed(folder.found, "folder")
    elif folder.found.get("managedBy"):
        raise managed("folder", folder.uid, str(folder.found["managedBy"]))


def _changed_meanwhile(now: Folder, seen: int) -> Exception:
    return conflict(
        f"folder {now.uid} has changed: it is at version {now.version}, and you saw version {seen}",
        "read it again (action=get), or give spec.overwrite=true",
        backend="grafana",
    )


def _identified(grafana: Grafana, answer: Answer) -> Answer:
    item = answer.item if isinstance(answer.item, dict) else {}
    metadata = item.pop("metadata", None)
    if metadata:
        item["uid"] = metadata["name"]
    if item.get("uid"):
        answer.url = grafana.link(at("/dashboards/f/{}", item["uid"]))
    answer.item = item or None
    return answer


def _path(uid: str) -> str:
    return at("/api/folders/{}", uid)


TABLE = Table(
    Action(list_, Effect.READ),
    Action(get, Effect.READ),
    Action(create, Effect.WRITE, _NEW),
    Action(update, Effect.WRITE, _CHANGED),
    Action(delete, Effect.DESTROY),
    Action(get_permissions, Effect.READ),
    Action(update_permissions, Effect.DESTROY, permissions.SPEC),
    find="grafana_folder_management action=list",
)
