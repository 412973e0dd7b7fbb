"""Reading and saving dashboards, by Grafana's newer API where it exists, otherwise below `/api`."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from kmcp_grafana.client import objects
from kmcp_grafana.client.api_groups import Group
from kmcp_grafana.client.failures import is_absent, refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Request, Row, at
from kmcp_runtime import ToolFailure, conflict, not_found
from kmcp_runtime.upstream import Refused

Version = Annotated[int, "Version; update: the one you saw", Field(ge=1)]

_GROUP = "dashboard.grafana.app"
_V2 = ("v2", "v2beta1")
_BY_GRAFANA = ("id", "uid", "version")
"""Members of a model that Grafana manages itself."""


@dataclass(frozen=True)
class Dashboard:
    uid: str
    model: Row
    version: int
    folder_uid: str | None
    link: str
    meta: Row
    group: Group | None
    found: Row
    """As Grafana answered it."""

    @property
    def title(self) -> str:
        return str(self.model.get("title", ""))

    @property
    def plain(self) -> Row:
        """The model without what Grafana manages itself, for comparisons."""
        return without_own(self.model)


def state_of(dashboard: Dashboard) -> Row:
    """What an approval is for: this very dashboard, not one that was made anew, with this model."""
    # The newer API has a uid of the object beside its name, the older one a time of creation and an id in the model.
    metadata = dashboard.found.get("metadata") or {}
    return {"model": dashboard.model, "created": dashboard.meta.get("created"), "object": metadata.get("uid")}


def without_own(model: Row) -> Row:
    return {field: value for field, value in model.items() if field not in _BY_GRAFANA}


async def load_dashboard(grafana: Grafana, uid: str) -> Dashboard:
    """The dashboard; `not_found` lists those that have the uid in their title."""
    group = await grafana.groups.find(_GROUP)
    try:
        if group:
            return _of_object(await _read_object(grafana, group, uid), group)
        return _of_route(uid, await grafana.read(at("/api/dashboards/uid/{}", uid)))
    except Refused as refused:
        if not is_absent(refused, uid):
            raise
        raise await _explain_missing_dashboard(grafana, uid) from None


async def find_dashboard(grafana: Grafana, uid: str) -> Dashboard | None:
    try:
        return await load_dashboard(grafana, uid)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return None


async def prepare_creation(grafana: Grafana, model: Row, folder_uid: str | None, message: str | None) -> Request:
    group = await grafana.groups.find(_GROUP)
    if group is None:
        # An id would address an existing dashboard.
        body: Row = {"dashboard": {**model, "id": None}, "overwrite": False, **_folder_and_message(folder_uid, message)}
        return Request(method="POST", path="/api/dashboards/db", body=body)
    version = next((v for v in _V2 if v in group.versions), None) if "elements" in model else None
    made = objects.new_object(
        group,
        "Dashboard",
        without_own(model),
        name=model.get("uid") or None,
        annotations=_annotations(folder_uid, message),
        version=version,
    )
    return Request(method="POST", path=group.path("dashboards", version), body=made)


def prepare_saving(
    dashboard: Dashboard, model: Row, seen: int, folder_uid: str | None, message: str | None, overwrite: bool
) -> Request:
    """The request that puts another model in place of version `seen`."""
    folder = dashboard.folder_uid if folder_uid is None else folder_uid
    if dashboard.group is None:
        # This route finds the dashboard by its id and uid, and compares the version with the stored one.
        own = {"id": dashboard.model.get("id"), "uid": dashboard.uid, "version": seen}
        body = {"dashboard": {**model, **own}, "overwrite": overwrite, **_folder_and_message(folder, message)}
        return Request(method="POST", path="/api/dashboards/db", body=body)
    shown = {objects.FOLDER: folder or None, objects.MESSAGE: message}
    body = objects.replace_spec(dashboard.found, without_own(model), annotations=shown, version=not overwrite)
    return Request(method="PUT", path=_path(dashboard), body=body)


def prepare_deletion(dashboard: Dashboard) -> Request:
    path = at("/api/dashboards/uid/{}", dashboard.uid) if dashboard.group is None else _path(dashboard)
    return Request(method="DELETE", path=path)


def refuse_managed(dashboard: Dashboard) -> None:
    if dashboard.group is not None:
        objects.refuse_managed(dashboard.found, "dashboard")
    elif dashboard.meta.get("provisioned"):
        file = dashboard.meta.get("provisionedExternalId")
        raise refuse_managed_by("dashboard", dashboard.uid, f"provisioning files{f' ({file})' if file else ''}")


def conflict_of_versions(dashboard: Dashboard, seen: int, current: int) -> ToolFailure:
    return conflict(
        f"dashboard {dashboard.uid} has changed since: it is at version {current}, and you saw version {seen}",
        f"read it again (action=get, or calculate_diff with version={seen}), or give spec.overwrite=true to replace it",
        backend="grafana",
    )


def is_version_conflict(refused: Refused) -> bool:
    # 409 in the newer API, 412 below `/api`.
    return refused.status in (409, 412)


async def _read_object(grafana: Grafana, group: Group, uid: str) -> Row:
    """The object in the schema that it is stored in."""
    # A dashboard that is stored in the newer schema and read in the older one loses what only the newer one has.
    found = await objects.read_object(grafana, group, "dashboards", uid)
    stored = ((found.get("status") or {}).get("conversion") or {}).get("storedVersion") or ""
    if not str(stored).startswith("v2"):
        return found
    version = stored if stored in group.versions else next((v for v in _V2 if v in group.versions), None)
    return await objects.read_object(grafana, group, "dashboards", uid, version) if version else found


def _of_object(found: Row, group: Group) -> Dashboard:
    metadata, spec = found["metadata"], found["spec"]
    uid = str(metadata["name"])
    meta: Row = {
        "created": metadata.get("creationTimestamp"),
        "updated": objects.annotation_of(found, "grafana.app/updatedTimestamp"),
        "createdBy": objects.annotation_of(found, "grafana.app/createdBy"),
        "updatedBy": objects.annotation_of(found, "grafana.app/updatedBy"),
    }
    version = int(metadata.get("generation") or 0)
    folder = objects.annotation_of(found, objects.FOLDER)
    return Dashboard(uid, spec, version, folder, at("/d/{}", uid), meta, group, found)


def _of_route(uid: str, found: Row) -> Dashboard:
    model, meta = found["dashboard"], found.get("meta") or {}
    version = int(model.get("version") or meta.get("version") or 0)
    link = meta.get("url") or at("/d/{}", uid)
    return Dashboard(uid, model, version, meta.get("folderUid") or None, link, meta, None, found)


def _path(dashboard: Dashboard) -> str:
    assert dashboard.group is not None
    # An object is replaced in the version that it was read in.
    version = str(dashboard.found["apiVersion"]).partition("/")[2]
    return f"{dashboard.group.path('dashboards', version)}/{at('{}', dashboard.uid)}"


def _annotations(folder_uid: str | None, message: str | None) -> Row:
    return {**({objects.FOLDER: folder_uid} if folder_uid else {}), **({objects.MESSAGE: message} if message else {})}


def _folder_and_message(folder_uid: str | None, message: str | None) -> Row:
    return {**({"folderUid": folder_uid} if folder_uid else {}), **({"message": message} if message else {})}


async def _explain_missing_dashboard(grafana: Grafana, uid: str) -> ToolFailure:
    return await explain_missing(grafana, uid, "dashboard", "dash-db", "grafana_dashboard_management")


async def explain_missing(grafana: Grafana, uid: str, noun: str, kind: str, tool: str) -> ToolFailure:
    """`not_found`, with what has the uid in its title."""
    # Callers often know only the title.
    found: list[Any] = await grafana.read("/api/search", [("type", kind), ("query", uid), ("limit", 5)])
    named = ", ".join(f"{hit['title']} (uid {hit['uid']})" for hit in found)
    action = "search" if noun == "dashboard" else "list"
    return not_found(
        f"no {noun} has uid {uid!r}" + (f"; with it in the title: {named}" if named else ""),
        f"{tool} action={action} finds them",
        backend="grafana",
    )
