"""Grafana's newer API: dashboards, folders and playlists as objects, over the same state."""

import re
from collections.abc import Iterator
from typing import Any

from tests.grafana.standin import boards
from tests.grafana.standin.exchange import Exchange, Handler
from tests.grafana.standin.limits import refuse_circle
from tests.grafana.standin.shapes import Route
from tests.grafana.standin.state import NOW, Dashboard, Folder, Refusal, Row

Answered = tuple[int, Any]
_FOLDER, _MESSAGE = "grafana.app/folder", "grafana.app/message"
_SERVED = {
    "dashboard.grafana.app": ("dashboards", "Dashboard", ("v1", "v2", "v1beta1", "v0alpha1")),
    "folder.grafana.app": ("folders", "Folder", ("v1", "v1beta1")),
    "playlist.grafana.app": ("playlists", "Playlist", ("v1", "v0alpha1")),
}
_METADATA = ("name", "generateName", "namespace", "annotations", "labels", "resourceVersion")
_LIST = "/apis/{group}/{version}/namespaces/{namespace}/{resource}"
_ONE = _LIST + "/{name}"


def _route(method: str, template: str, role: str, *query: str) -> Route:
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    body = "object" if method in ("POST", "PUT") else None
    return Route(method, template, query, (), body, role, "", re.compile(pattern))


ROUTES = (
    _route("GET", _LIST, "Viewer", "limit", "continue", "labelSelector", "fieldSelector"),
    _route("POST", _LIST, "Editor"),
    _route("GET", _ONE, "Viewer", "resourceVersion"),
    _route("PUT", _ONE, "Editor"),
    _route("DELETE", _ONE, "Editor"),
)


def groups(exchange: Exchange) -> Answered:
    found = [
        {
            "name": name,
            "preferredVersion": {"groupVersion": f"{name}/{versions[0]}", "version": versions[0]},
            "versions": [{"groupVersion": f"{name}/{version}", "version": version} for version in versions],
        }
        for name, (_, _, versions) in _SERVED.items()
    ]
    return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


class _Refused(Refusal):
    """A failure as the Kubernetes-like API words it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(code, message)
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


def _kind(exchange: Exchange) -> str:
    group, resource = exchange.param("group"), exchange.param("resource")
    served = _SERVED.get(group)
    if served is None or served[0] != resource or exchange.param("version") not in served[2]:
        raise _Refused(404, "NotFound", "the server could not find the requested resource")
    number = exchange.organisation.id
    if exchange.param("namespace") != ("default" if number == 1 else f"org-{number}"):
        raise _Refused(403, "Forbidden", f"{resource} is forbidden: this identity is not of that namespace")
    return served[1]


def _absent(exchange: Exchange) -> _Refused:
    group, resource, name = (exchange.param(word) for word in ("group", "resource", "name"))
    return _Refused(404, "NotFound", f'{resource}.{group} "{name}" not found')


def _wrapped(exchange: Exchange, kind: str, name: str, generation: int, annotations: Row, spec: Row) -> Row:
    metadata = {
        "name": name,
        "namespace": exchange.param("namespace"),
        "uid": f"uid-{name}",
        "generation": generation,
        "resourceVersion": str(1_000_000 + generation),
        "creationTimestamp": NOW,
        "labels": {"grafana.app/x": "1"},
        "annotations": {"grafana.app/createdBy": "user:u000001", **annotations},
    }
    version = f"{exchange.param('group')}/{exchange.param('version')}"
    return {"kind": kind, "apiVersion": version, "metadata": metadata, "spec": spec}


def _managed(found: Dashboard | Folder) -> Row:
    return {"grafana.app/managedBy": found.manager, "grafana.app/managerId": "boards"} if found.manager else {}


def _shown_dashboard(exchange: Exchange, found: Dashboard) -> Row:
    annotations = {**({_FOLDER: found.folder} if found.folder else {}), **_managed(found)}
    spec = found.spec
    if found.stored == "v2" and exchange.param("version") != "v2":
        spec = {"title": found.spec["title"], "panels": [], "schemaVersion": 42}
    shown = _wrapped(exchange, "Dashboard", found.uid, found.version, annotations, spec)
    shown["status"] = {"conversion": {"failed": False, "storedVersion": found.stored}}
    return shown


def _shown_folder(exchange: Exchange, found: Folder) -> Row:
    annotations = {**({_FOLDER: found.parent} if found.parent else {}), **_managed(found)}
    spec = {"title": found.title, **({"description": found.description} if found.description else {})}
    return _wrapped(exchange, "Folder", found.uid, found.version, annotations, spec)


def _shown_playlist(exchange: Exchange, found: Row) -> Row:
    spec = {"title": found["name"], "interval": found["interval"], "items": found["items"]}
    return _wrapped(exchange, "Playlist", found["uid"], found["generation"], {}, spec)


def read(exchange: Exchange) -> Answered:
    kind, name, organisation = _kind(exchange), exchange.param("name"), exchange.organisation
    if kind == "Dashboard" and name in organisation.dashboards:
        return 200, _shown_dashboard(exchange, organisation.dashboards[name])
    if kind == "Folder" and name in organisation.folders:
        return 200, _shown_folder(exchange, organisation.folders[name])
    if kind == "Playlist" and name in organisation.playlists:
        return 200, _shown_playlist(exchange, organisation.playlists[name])
    raise _absent(exchange)


def listed(exchange: Exchange) -> Answered:
    kind = _kind(exchange)
    if kind != "Playlist":
        raise _Refused(405, "MethodNotAllowed", "the stand-in lists playlists only")
    rows = [_shown_playlist(exchange, found) for found in exchange.organisation.playlists.values()]
    start, limit = int(exchange.first("continue", "0")), exchange.count("limit", 500)
    following = {"continue": str(start + limit)} if start + limit < len(rows) else {}
    return 200, {"kind": "PlaylistList", "metadata": following, "items": rows[start : start + limit]}


def create(exchange: Exchange) -> Answered:
    kind, body = _kind(exchange), exchange.body
    _check(exchange, kind, body)
    metadata, spec = body["metadata"], body["spec"]
    name = metadata.get("name") or exchange.state.uid(metadata["generateName"])
    place = (metadata.get("annotations") or {}).get(_FOLDER) or ""
    if name in _all(exchange, kind):
        told = f'{exchange.param("resource")}.{exchange.param("group")} "{name}" already exists'
        raise _Refused(409, "AlreadyExists", told)
    if kind == "Dashboard":
        found = boards.made(exchange, name, spec, place, (metadata.get("annotations") or {}).get(_MESSAGE) or "")
        found.stored = "v2" if exchange.param("version") == "v2" else "v1"
        return 201, _shown_dashboard(exchange, found)
    if kind == "Folder":
        return 201, _shown_folder(
            exchange, boards.add_folder(exchange, name, spec["title"], place, spec.get("description"))
        )
    exchange.organisation.playlists[name] = _playlist(exchange, name, spec, 1)
    return 201, _shown_playlist(exchange, exchange.organisation.playlists[name])


def replace(exchange: Exchange) -> Answered:
    kind, body = _kind(exchange), exchange.body
    name = exchange.param("name")
    if name not in _all(exchange, kind):
        raise _absent(exchange)
    _check(exchange, kind, body)
    if body["metadata"].get("name") != name:
        raise _Refused(400, "BadRequest", "the name of the object does not match the name on the URL")
    _refuse_stale(exchange, body)
    annotations, spec = body["metadata"].get("annotations") or {}, body["spec"]
    place = annotations.get(_FOLDER) or ""
    if kind == "Dashboard":
        found = exchange.organisation.dashboards[name]
        _refuse_managed(exchange, found)
        boards.replaced(exchange, found, spec, place, annotations.get(_MESSAGE) or "")
    elif kind == "Folder":
        inner = exchange.organisation.folders[name]
        refuse_circle(exchange.organisation, name, place)
        inner.title, inner.description, inner.parent = spec["title"], spec.get("description", ""), place
        inner.version += 1
    else:
        generation = exchange.organisation.playlists[name]["generation"] + 1
        exchange.organisation.playlists[name] = _playlist(exchange, name, spec, generation)
    return read(exchange)


def delete(exchange: Exchange) -> Answered:
    kind, name = _kind(exchange), exchange.param("name")
    table = _all(exchange, kind)
    if name not in table:
        raise _absent(exchange)
    if kind == "Folder":
        raise _Refused(400, "BadRequest", "Folder cannot be deleted: folder is not empty")
    if kind == "Dashboard":
        _refuse_managed(exchange, exchange.organisation.dashboards[name])
    del table[name]
    return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"name": name}}


def _refuse_stale(exchange: Exchange, body: Row) -> None:
    current = read(exchange)[1]["metadata"]["resourceVersion"]
    if body["metadata"].get("resourceVersion") not in (None, current):
        name = f'{exchange.param("resource")}.{exchange.param("group")} "{exchange.param("name")}"'
        raise _Refused(409, "Conflict", f"Operation cannot be fulfilled on {name}: the object has been modified")


def _refuse_managed(exchange: Exchange, found: Dashboard) -> None:
    if found.manager:
        raise _Refused(403, "Forbidden", f'dashboards "{found.uid}" is forbidden: managed by {found.manager}')


def _all(exchange: Exchange, kind: str) -> dict[str, Any]:
    organisation = exchange.organisation
    tables: dict[str, dict[str, Any]] = {
        "Dashboard": organisation.dashboards,
        "Folder": organisation.folders,
        "Playlist": organisation.playlists,
    }
    return tables[kind]


def _playlist(exchange: Exchange, uid: str, spec: Row, generation: int) -> Row:
    fields = {"name": spec["title"], "interval": spec["interval"], "items": spec["items"]}
    return {"id": exchange.state.number(), "uid": uid, "generation": generation, **fields}


def _check(exchange: Exchange, kind: str, body: Row) -> None:
    found = list(_faults(exchange, kind, body))
    if found:
        raise _Refused(400, "BadRequest", f"strict decoding error: {'; '.join(found)}")


def _faults(exchange: Exchange, kind: str, body: Row) -> Iterator[str]:
    yield from (f'unknown field "{name}"' for name in body if name not in ("apiVersion", "kind", "metadata", "spec"))
    if body.get("kind") != kind or body.get("apiVersion") != f"{exchange.param('group')}/{exchange.param('version')}":
        yield "kind and apiVersion do not match the URL"
    metadata, spec = body.get("metadata") or {}, body.get("spec")
    yield from (f'unknown field "metadata.{name}"' for name in metadata if name not in _METADATA)
    if not (metadata.get("name") or metadata.get("generateName")):
        yield "name or generateName is required"
    if not isinstance(spec, dict):
        yield "spec is required"
    elif kind == "Folder":
        yield from (f'unknown field "spec.{name}"' for name in spec if name not in ("title", "description"))
    elif kind == "Playlist":
        yield from _faults_of_playlist(spec)
    elif kind == "Dashboard":
        yield from (f'"spec.{name}" is kept by the server' for name in ("id", "uid", "version") if name in spec)
        if ("elements" in spec) != (exchange.param("version") == "v2"):
            yield "the spec is of another version's schema"


def _faults_of_playlist(spec: Row) -> Iterator[str]:
    if sorted(spec) != ["interval", "items", "title"]:
        yield f"spec takes title, interval and items, not {', '.join(spec)}"
    for item in spec.get("items") or ():
        if sorted(item) != ["type", "value"] or item["type"] not in ("dashboard_by_uid", "dashboard_by_tag"):
            yield f"{item} is no item"


HANDLERS: dict[str, Handler] = {
    "GET /apis": groups,
    f"GET {_LIST}": listed,
    f"POST {_LIST}": create,
    f"GET {_ONE}": read,
    f"PUT {_ONE}": replace,
    f"DELETE {_ONE}": delete,
}
