"""Folders, by Grafana's newer API where it exists, otherwise below `/api`.

Lists by parent, deletion with what is inside, counts and permissions exist only below `/api`.
"""

from dataclasses import dataclass
from typing import Annotated

from kmcp_grafana.actions.arguments import Fields, FolderUid, Uid
from kmcp_grafana.actions.changes import send_change, send_deletion
from kmcp_grafana.actions.listing import NumberedList, explain_empty, read_numbered_page
from kmcp_grafana.actions.results import Answer, pick
from kmcp_grafana.actions.specs import Spec, Text, optional, required
from kmcp_grafana.client import objects
from kmcp_grafana.client.api_groups import Group
from kmcp_grafana.client.failures import is_absent, refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_grafana.dashboards import permissions, storage
from kmcp_runtime import Cursor, Limit, conflict
from kmcp_runtime.upstream import Refused

ForceDeleteRules = Annotated[bool, "Alert rules, too"]

_GROUP = "folder.grafana.app"
_MOST_BOUND = 5000
"""The most that Grafana's search answers at once."""
_ROW = ("uid", "title", "parentUid", "managedBy")
NEW = Spec(title=required(Text), uid=optional(Text), parentUid=optional(str), description=optional(str))
CHANGED = Spec(
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
        return {**pick(named, *named), "version": self.version}


async def list_folders(
    grafana: Grafana, limit: Limit = 100, parent_uid: FolderUid | None = None, cursor: Cursor = None
) -> Answer:
    params = [("parentUid", parent_uid)] if parent_uid else []
    source = NumberedList("/api/folders", params, size="limit")
    found = await read_numbered_page(grafana, source, lambda row: pick(row, *_ROW), limit, cursor)
    inside = f"Folder {parent_uid} has no folders in it." if parent_uid else "There are no folders at the top level."
    return explain_empty(found, inside + " Only folders that this server's identity may see are listed.")


async def get_folder(grafana: Grafana, uid: Uid) -> Answer:
    found = await load_folder(grafana, uid)
    meta = pick(found.found, "created", "createdBy", "updated", "updatedBy", "managedBy")
    return Answer(item={**found.shown(), **meta}, url=grafana.link(found.link))


async def create_folder(grafana: Grafana, spec: Fields) -> Answer:
    group = await grafana.groups.find(_GROUP)
    if group:
        parent = {objects.FOLDER: spec["parentUid"]} if spec.get("parentUid") else None
        body = objects.new_object(
            group, "Folder", pick(spec, "title", "description"), name=spec.get("uid"), annotations=parent
        )
        request = Request(method="POST", path=group.path("folders"), body=body)
    else:
        request = Request(method="POST", path="/api/folders", body=spec)
    answer = await send_change(grafana, request, "created", before=None, after=spec, reply=("uid", "title", "metadata"))
    return _identify(grafana, answer)


async def update_folder(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    """Rename, describe or move a folder."""
    found = await load_folder(grafana, uid)
    _refuse_managed(found)
    seen, overwrite = int(spec.get("version") or found.version), bool(spec.get("overwrite"))
    if seen != found.version and not overwrite:
        raise _conflict_of_versions(found, seen)
    before = {"title": found.title, "description": found.description, "parentUid": found.parent_uid}
    after = {**before, **{field: spec[field] for field in before if field in spec}}
    try:
        if found.group:
            return await _replace_object(grafana, found, found.group, before, after, overwrite)
        more = {"overwrite": overwrite, **({"description": spec["description"]} if "description" in spec else {})}
        return await _update_by_routes(grafana, found, before, after, more)
    except Refused as refused:
        if not storage.is_version_conflict(refused):
            raise
        now = await load_folder(grafana, uid)
        if now.version == seen:  # Refused for another reason, which Grafana has named.
            raise
        raise _conflict_of_versions(now, seen) from None


async def delete_folder(grafana: Grafana, uid: Uid, force_delete_rules: ForceDeleteRules = False) -> Answer:
    found = await load_folder(grafana, uid)
    _refuse_managed(found)
    # Deleting a folder deletes what is in it: the plan shows how much that is.
    counts = await grafana.read(at("/api/folders/{}/counts", uid))
    along = {name: count for name, count in counts.items() if count}
    params = [("forceDeleteRules", "true")] if force_delete_rules else []
    request = Request(method="DELETE", path=_path(uid), params=params)
    # Counts alone would not tell one dashboard from another that took its place.
    inside = await grafana.read("/api/search", [("folderUIDs", uid), ("limit", _MOST_BOUND)])
    state = {"inside": sorted(str(hit["uid"]) for hit in inside), **_identity(found)}
    answer = await send_deletion(grafana, request, about=found.shown(), takes_along=along, state=state)
    if any("rule" in name.lower() for name in along) and not force_delete_rules:
        answer.warnings = [
            "it holds alert rules: Grafana refuses unless force_delete_rules=true, which deletes them as well"
        ]
    return answer


async def get_permissions(grafana: Grafana, uid: Uid) -> Answer:
    return await permissions.list_permissions(grafana, f"{_path(uid)}/permissions")


async def update_permissions(grafana: Grafana, uid: Uid, spec: Fields) -> Answer:
    return await permissions.replace_permissions(grafana, f"{_path(uid)}/permissions", spec, {"uid": uid})


async def load_folder(grafana: Grafana, uid: str) -> Folder:
    """The folder; `not_found` lists those that have the uid in their title."""
    group = await grafana.groups.find(_GROUP)
    try:
        if group:
            return _of_object(await objects.read_object(grafana, group, "folders", uid), group)
        found = await grafana.read(_path(uid))
    except Refused as refused:
        if not is_absent(refused, uid):
            raise
        raise await storage.explain_missing(
            grafana, uid, "folder", "dash-folder", "grafana_folder_management"
        ) from None
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


async def _replace_object(
    grafana: Grafana, found: Folder, group: Group, before: Row, after: Row, overwrite: bool
) -> Answer:
    spec = {**found.found["spec"], **pick(after, "title"), "description": after["description"]}
    # An empty description that was absent before would count as a change.
    spec = {field: value for field, value in spec.items() if value != "" or field in found.found["spec"]}
    body = objects.replace_spec(
        found.found, spec, annotations={objects.FOLDER: after["parentUid"] or None}, version=not overwrite
    )
    request = Request(method="PUT", path=f"{group.path('folders')}/{at('{}', found.uid)}", body=body)
    return await send_change(
        grafana, request, "updated", before=before, after=after, about={"uid": found.uid}, link=found.link
    )


async def _update_by_routes(grafana: Grafana, found: Folder, before: Row, after: Row, more: Row) -> Answer:
    """Below `/api` a move has a route of its own."""
    moves, about = after["parentUid"] != before["parentUid"], {"uid": found.uid}
    renamed = {**after, "parentUid": before["parentUid"]} != before
    body = {"title": after["title"], "version": found.version, **more}
    rename = Request(method="PUT", path=_path(found.uid), body=body)
    if not moves:
        return await send_change(grafana, rename, "updated", before=before, after=after, about=about, link=found.link)
    move = Request(method="POST", path=f"{_path(found.uid)}/move", body={"parentUid": after["parentUid"]})
    answer = await send_change(grafana, move, "moved", before=before, after=after, about=about, link=found.link)
    if renamed and grafana.dry_run:
        answer.request = f"{move.shown()}, then {rename.shown()}"
    elif renamed:
        # The move came first and made a new version, which the second request must name.
        now = await load_folder(grafana, found.uid)
        await grafana.send(Request(method="PUT", path=_path(found.uid), body={**body, "version": now.version}))
        answer.result = "moved and updated"
    return answer


def _identity(folder: Folder) -> Row:
    """What tells it from a folder that was made anew with its uid."""
    return {"object": (folder.found.get("metadata") or {}).get("uid"), **pick(folder.found, "id", "created")}


def _of_object(found: Row, group: Group) -> Folder:
    metadata, spec = found["metadata"], found["spec"]
    uid = str(metadata["name"])
    parent = objects.annotation_of(found, objects.FOLDER) or ""
    version = int(metadata.get("generation") or 0)
    link = at("/dashboards/f/{}", uid)
    return Folder(uid, spec["title"], spec.get("description") or "", parent, version, link, group, found)


def _refuse_managed(folder: Folder) -> None:
    if folder.group:
        objects.refuse_managed(folder.found, "folder")
    elif folder.found.get("managedBy"):
        raise refuse_managed_by("folder", folder.uid, str(folder.found["managedBy"]))


def _conflict_of_versions(now: Folder, seen: int) -> Exception:
    return conflict(
        f"folder {now.uid} has changed since: it is at version {now.version}, and you saw version {seen}",
        "read it again (action=get), or give spec.overwrite=true",
        backend="grafana",
    )


def _identify(grafana: Grafana, answer: Answer) -> Answer:
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
