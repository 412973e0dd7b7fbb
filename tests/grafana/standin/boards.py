"""Dashboards, their versions, folders, search and snapshots below `/api`."""

import copy
from typing import Any

from tests.grafana.standin.exchange import Exchange, Handler, page
from tests.grafana.standin.limits import refuse_circle, refuse_uid
from tests.grafana.standin.state import NOW, Dashboard, Folder, Organisation, Refusal, Row

Answered = tuple[int, Any]
_PERMISSIONS = {1: "View", 2: "Edit", 4: "Admin"}
_OWN = ("id", "uid", "version")


def dashboard(organisation: Organisation, uid: str) -> Dashboard:
    found = organisation.dashboards.get(uid)
    if found is None:
        raise Refusal(404, "Dashboard not found", traceID="")
    return found


def folder(organisation: Organisation, uid: str) -> Folder:
    found = organisation.folders.get(uid)
    if found is None:
        raise Refusal(404, "folder not found", accessErrorId="", title="not found")
    return found


def saved(found: Dashboard, spec: Row, message: str, by: str, restored: int = 0) -> None:
    """Put a new version in place."""
    found.spec = {key: value for key, value in copy.deepcopy(spec).items() if key not in _OWN}
    found.versions.append(
        {
            "id": len(found.versions) + 1,
            "uid": found.uid,
            "dashboardId": found.id,
            "version": found.version,
            "parentVersion": found.version - 1,
            "restoredFrom": restored,
            "created": NOW,
            "createdBy": by,
            "message": message,
            "data": copy.deepcopy(found.spec),
        }
    )


def made(exchange: Exchange, uid: str, spec: Row, folder_uid: str, message: str) -> Dashboard:
    """A new dashboard in the state."""
    refuse_uid(uid, "dashboard")
    if not spec.get("title"):
        raise Refusal(400, "Dashboard title cannot be empty", status="empty-name")
    if folder_uid:
        folder(exchange.organisation, folder_uid)
    found = Dashboard(uid, {}, folder_uid, exchange.state.number())
    saved(found, spec, message, _who(exchange))
    exchange.organisation.dashboards[uid] = found
    return found


def replaced(exchange: Exchange, found: Dashboard, spec: Row, folder_uid: str, message: str, restored: int = 0) -> None:
    if not spec.get("title"):
        raise Refusal(400, "Dashboard title cannot be empty", status="empty-name")
    if folder_uid:
        folder(exchange.organisation, folder_uid)
    found.version += 1
    found.folder = folder_uid
    saved(found, spec, message, _who(exchange), restored)


def _who(exchange: Exchange) -> str:
    return exchange.identity.user.login if exchange.identity.user else "sa-kmcp"


def get_dashboard(exchange: Exchange) -> Answered:
    found = dashboard(exchange.organisation, exchange.param("uid"))
    if found.stored.startswith("v2"):
        raise Refusal(406, "dashboard api version not supported, use /apis/dashboard.grafana.app/v2 instead")
    inside = exchange.organisation.folders.get(found.folder)
    meta = {
        "slug": _slug(found),
        "url": _url(found),
        "version": found.version,
        "folderUid": found.folder,
        "folderTitle": inside.title if inside else "General",
        "created": NOW,
        "updated": NOW,
        "createdBy": "admin",
        "updatedBy": "admin",
        "provisioned": found.manager is not None,
        "canSave": True,
        "isFolder": False,
        "provisionedExternalId": "boards/main.json" if found.manager else "",
    }
    return 200, {"meta": meta, "dashboard": {**found.spec, "id": found.id, "uid": found.uid, "version": found.version}}


def save_dashboard(exchange: Exchange) -> Answered:
    model, overwrite = exchange.body["dashboard"], bool(exchange.body.get("overwrite"))
    folder_uid, message = exchange.body.get("folderUid") or "", exchange.body.get("message") or ""
    uid = model.get("uid") or ""
    found = exchange.organisation.dashboards.get(uid)
    if found is None:
        if model.get("id"):
            raise Refusal(404, "Dashboard not found", status="not-found")
        found = made(exchange, uid or exchange.state.uid("d"), model, folder_uid, message)
    else:
        refuse_provisioned(found)
        if model.get("version") != found.version and not overwrite:
            told = "The dashboard has been changed by someone else"
            raise Refusal(412, told, status="version-mismatch")
        replaced(exchange, found, model, folder_uid, message)
    return 200, _outcome(found)


def refuse_provisioned(found: Dashboard) -> None:
    if found.manager:
        raise Refusal(400, "Cannot save provisioned dashboard")


def delete_dashboard(exchange: Exchange) -> Answered:
    found = dashboard(exchange.organisation, exchange.param("uid"))
    if found.manager:
        raise Refusal(400, "provisioned dashboard cannot be deleted")
    del exchange.organisation.dashboards[found.uid]
    title = found.spec["title"]
    return 200, {"title": title, "message": f"Dashboard {title} deleted", "uid": found.uid}


def get_versions(exchange: Exchange) -> Answered:
    """Version 13 continues by a token, older ones by `start`."""
    found = dashboard(exchange.organisation, exchange.param("uid"))
    newest = [{key: value for key, value in row.items() if key != "data"} for row in reversed(found.versions)]
    limit = exchange.count("limit", 0) or 100
    if not exchange.version.startswith("13"):
        start = exchange.count("start", 0)
        return 200, newest[start : start + limit]
    start = int(exchange.first("continueToken", "0"))
    following = str(start + limit) if start + limit < len(newest) else ""
    return 200, {"continueToken": following, "versions": newest[start : start + limit]}


def get_version(exchange: Exchange) -> Answered:
    return 200, _version(exchange, exchange.number("version"))


def _version(exchange: Exchange, number: int) -> Row:
    found = dashboard(exchange.organisation, exchange.param("uid"))
    row = next((row for row in found.versions if row["version"] == number), None)
    if row is None:
        raise Refusal(404, f"Dashboard version {number} not found for dashboardId {found.id}")
    return row


def restore(exchange: Exchange) -> Answered:
    found = dashboard(exchange.organisation, exchange.param("uid"))
    refuse_provisioned(found)
    number = exchange.body.get("version")
    if not isinstance(number, int):
        raise Refusal(400, "bad request data")
    wanted = _version(exchange, number)["data"]
    replaced(exchange, found, wanted, found.folder, f"Restored from version {number}", number)
    return 200, _outcome(found)


def _outcome(found: Dashboard) -> Row:
    return {
        "id": found.id,
        "uid": found.uid,
        "url": _url(found),
        "status": "success",
        "version": found.version,
        "slug": _slug(found),
        "folderUid": found.folder,
    }


def _slug(found: Dashboard) -> str:
    return str(found.spec["title"]).lower().replace(" ", "-")


def _url(found: Dashboard) -> str:
    return f"/d/{found.uid}/{_slug(found)}"


def shown_permissions(rows: list[Row]) -> Answered:
    return 200, [{**row, "permissionName": _PERMISSIONS[row["permission"]], "inherited": False} for row in rows]


def set_permissions(exchange: Exchange, target: Dashboard | Folder) -> Answered:
    items = exchange.body.get("items")
    if items is None:
        raise Refusal(400, "bad request data")
    for item in items:
        if item.get("permission") not in _PERMISSIONS:
            raise Refusal(400, "Invalid permission level")
        if sum(bool(item.get(who)) for who in ("role", "userId", "teamId")) != 1:
            raise Refusal(400, "Permissions must be for exactly one of role, user or team")
        if item.get("teamId") and item["teamId"] not in exchange.organisation.teams:
            raise Refusal(400, "Team not found")
    target.permissions = items
    return 200, {"message": "Permissions updated"}


def search(exchange: Exchange) -> Answered:
    organisation, query = exchange.organisation, exchange.first("query").lower()
    wanted = exchange.query.get("type", ["dash-db", "dash-folder"])
    rows: list[Row] = []
    if "dash-folder" in wanted:
        rows += [
            {"uid": f.uid, "title": f.title, "type": "dash-folder", "id": f.id} for f in organisation.folders.values()
        ]
    if "dash-db" in wanted:
        rows += [_hit(organisation, found) for found in organisation.dashboards.values()]
    rows = [row for row in rows if query in row["title"].lower()]
    rows = [row for row in rows if all(tag in row.get("tags", ()) for tag in exchange.query.get("tag", ()))]
    inside = exchange.query.get("folderUIDs")
    rows = [row for row in rows if inside is None or row.get("folderUid") in inside]
    rows = [row for row in rows if exchange.first("starred") != "true" or row.get("isStarred")]
    return 200, page(sorted(rows, key=lambda row: str(row["title"])), exchange, "limit", 1000)


def _hit(organisation: Organisation, found: Dashboard) -> Row:
    inside = organisation.folders.get(found.folder)
    place = {"folderUid": found.folder, "folderTitle": inside.title} if inside else {}
    return {
        "id": found.id,
        "uid": found.uid,
        "title": found.spec["title"],
        "url": _url(found),
        "type": "dash-db",
        "tags": found.spec.get("tags") or [],
        "isStarred": False,
        **place,
    }


def get_folders(exchange: Exchange) -> Answered:
    parent = exchange.first("parentUid")
    if parent:
        folder(exchange.organisation, parent)
    rows = [
        {"id": found.id, "uid": found.uid, "title": found.title, "parentUid": found.parent}
        for found in exchange.organisation.folders.values()
        if found.parent == parent
    ]
    return 200, page(rows, exchange, "limit", 1000)


def shown_folder(found: Folder) -> Row:
    return {
        "id": found.id,
        "uid": found.uid,
        "title": found.title,
        "url": f"/dashboards/f/{found.uid}/x",
        "version": found.version,
        "parentUid": found.parent,
        "created": NOW,
        "updated": NOW,
        "createdBy": "admin",
        **({"managedBy": found.manager} if found.manager else {}),
    }


def create_folder(exchange: Exchange) -> Answered:
    body = exchange.body
    found = add_folder(exchange, body.get("uid"), body.get("title"), body.get("parentUid"), body.get("description"))
    return 200, shown_folder(found)


def add_folder(exchange: Exchange, uid: Any, title: Any, parent: Any, description: Any) -> Folder:
    if not title:
        raise Refusal(400, "folder title cannot be empty")
    refuse_uid(uid or "", "folder")
    if uid in exchange.organisation.folders:
        raise Refusal(409, "a folder with the same UID already exists")
    if parent:
        folder(exchange.organisation, parent)
    found = Folder(uid or exchange.state.uid("f"), title, parent or "", exchange.state.number(), description or "")
    exchange.organisation.folders[found.uid] = found
    return found


def put_folder(exchange: Exchange) -> Answered:
    found, body = folder(exchange.organisation, exchange.param("folder_uid")), exchange.body
    if body.get("version") != found.version and not body.get("overwrite"):
        raise Refusal(412, "the folder has been changed by someone else", status="version-mismatch")
    if not body.get("title"):
        raise Refusal(400, "folder title cannot be empty")
    found.title, found.version = body["title"], found.version + 1
    if "description" in body:
        found.description = body["description"]
    return 200, shown_folder(found)


def move_folder(exchange: Exchange) -> Answered:
    found, parent = folder(exchange.organisation, exchange.param("folder_uid")), exchange.body.get("parentUid") or ""
    if parent:
        folder(exchange.organisation, parent)
    refuse_circle(exchange.organisation, found.uid, parent)
    found.parent, found.version = parent, found.version + 1
    return 200, shown_folder(found)


def inside_of(organisation: Organisation, uid: str) -> dict[str, int]:
    return {
        "folder": sum(found.parent == uid for found in organisation.folders.values()),
        "dashboard": sum(found.folder == uid for found in organisation.dashboards.values()),
        "alertrule": sum(rule["folderUID"] == uid for rule in organisation.rules.values()),
        "librarypanel": 0,
    }


def delete_folder(exchange: Exchange) -> Answered:
    organisation = exchange.organisation
    found = folder(organisation, exchange.param("folder_uid"))
    if inside_of(organisation, found.uid)["alertrule"] and exchange.first("forceDeleteRules") != "true":
        raise Refusal(400, "Folder cannot be deleted: folder contains alert rules", messageId="folder.contains-alerts")
    _forget(organisation, found.uid)
    return 200, {"message": f"Folder {found.title} deleted", "title": found.title, "id": found.id}


def _forget(organisation: Organisation, uid: str) -> None:
    for inner in [found.uid for found in organisation.folders.values() if found.parent == uid]:
        _forget(organisation, inner)
    organisation.dashboards = {k: v for k, v in organisation.dashboards.items() if v.folder != uid}
    organisation.rules = {k: v for k, v in organisation.rules.items() if v["folderUID"] != uid}
    del organisation.folders[uid]


def create_snapshot(exchange: Exchange) -> Answered:
    body = exchange.body
    if not body["dashboard"].get("title"):
        raise Refusal(400, "bad request data")
    key = exchange.state.uid("s")
    exchange.organisation.snapshots[key] = {"dashboard": body["dashboard"], "expires": body.get("expires", 0)}
    secret = f"delete-{key}"
    told = {"key": key, "deleteKey": secret, "url": f"http://grafana.example/dashboard/snapshot/{key}"}
    return 200, {**told, "deleteUrl": f"http://grafana.example/api/snapshots-delete/{secret}", "id": 1}


def _snapshot(exchange: Exchange) -> Row:
    found = exchange.organisation.snapshots.get(exchange.param("key"))
    if found is None:
        raise Refusal(404, "Failed to get dashboard snapshot")
    return found


def get_snapshot(exchange: Exchange) -> Answered:
    found = _snapshot(exchange)
    return 200, {"meta": {"isSnapshot": True, "created": NOW, "expires": NOW}, "dashboard": found["dashboard"]}


def delete_snapshot(exchange: Exchange) -> Answered:
    _snapshot(exchange)
    del exchange.organisation.snapshots[exchange.param("key")]
    return 200, {"message": "Snapshot deleted. It might take an hour before it's cleared from any CDN caches."}


def _folder_of(exchange: Exchange) -> Folder:
    return folder(exchange.organisation, exchange.param("folder_uid"))


def _dashboard_of(exchange: Exchange) -> Dashboard:
    return dashboard(exchange.organisation, exchange.param("uid"))


HANDLERS: dict[str, Handler] = {
    "GET /api/dashboards/uid/{uid}": get_dashboard,
    "POST /api/dashboards/db": save_dashboard,
    "DELETE /api/dashboards/uid/{uid}": delete_dashboard,
    "GET /api/dashboards/uid/{uid}/versions": get_versions,
    "GET /api/dashboards/uid/{uid}/versions/{version}": get_version,
    "POST /api/dashboards/uid/{uid}/restore": restore,
    "GET /api/dashboards/uid/{uid}/permissions": lambda e: shown_permissions(_dashboard_of(e).permissions),
    "POST /api/dashboards/uid/{uid}/permissions": lambda e: set_permissions(e, _dashboard_of(e)),
    "GET /api/search": search,
    "GET /api/folders": get_folders,
    "GET /api/folders/{folder_uid}": lambda e: (200, shown_folder(_folder_of(e))),
    "POST /api/folders": create_folder,
    "PUT /api/folders/{folder_uid}": put_folder,
    "POST /api/folders/{folder_uid}/move": move_folder,
    "DELETE /api/folders/{folder_uid}": delete_folder,
    "GET /api/folders/{folder_uid}/counts": lambda e: (200, inside_of(e.organisation, _folder_of(e).uid)),
    "GET /api/folders/{folder_uid}/permissions": lambda e: shown_permissions(_folder_of(e).permissions),
    "POST /api/folders/{folder_uid}/permissions": lambda e: set_permissions(e, _folder_of(e)),
    "POST /api/snapshots": create_snapshot,
    "GET /api/snapshots/{key}": get_snapshot,
    "DELETE /api/snapshots/{key}": delete_snapshot,
}
