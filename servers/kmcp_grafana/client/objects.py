"""Objects of Grafana's newer API, which have the shape of Kubernetes objects."""

from typing import Any

from kmcp_grafana.client.api_groups import Group
from kmcp_grafana.client.failures import refuse_managed_by
from kmcp_grafana.client.grafana import Grafana, Row, at
from kmcp_runtime import too_large

FOLDER = "grafana.app/folder"
MESSAGE = "grafana.app/message"
_PAGE = 500
_MOST_PAGES = 20
_BY_GRAFANA = (
    "grafana.app/createdBy",
    "grafana.app/updatedBy",
    "grafana.app/updatedTimestamp",
    "grafana.app/createdTimestamp",
    "grafana.app/saved-from-ui",
    MESSAGE,
)
"""Annotations that Grafana writes itself, or that belong to a single version."""
_MANAGERS = {
    "repo": "a Git repository",
    "terraform": "Terraform",
    "kubectl": "kubectl",
    "plugin": "a plugin",
    "classic-file-provisioning": "provisioning files",
    "grafana": "Grafana",
}


async def read_object(grafana: Grafana, group: Group, resource: str, name: str, version: str | None = None) -> Row:
    found: Row = await grafana.read(f"{group.path(resource, version)}/{at('{}', name)}")
    return found


async def list_objects(grafana: Grafana, group: Group, resource: str) -> list[Row]:
    """All objects of a resource, of which there must be few."""
    found: list[Row] = []
    token = ""
    # A server that repeats its token must not keep a call here for ever.
    for _ in range(_MOST_PAGES):
        more = [("continue", token)] if token else []
        answered = await grafana.read(group.path(resource), [("limit", _PAGE), *more])
        found += answered.get("items") or ()
        token = (answered.get("metadata") or {}).get("continue") or ""
        if not token:
            return found
    raise too_large(f"there are more than {len(found):,} {resource}", "ask for one by its uid", backend="grafana")


def new_object(
    group: Group,
    kind: str,
    spec: Any,
    *,
    name: str | None = None,
    annotations: Row | None = None,
    version: str | None = None,
) -> Row:
    """A new object; without a name, Grafana chooses one."""
    # Kubernetes-like APIs need one of the two.
    metadata: Row = {"name": name} if name else {"generateName": kind[0].lower()}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": f"{group.name}/{version or group.version}", "kind": kind, "metadata": metadata, "spec": spec}


def replace_spec(found: Row, spec: Any, *, annotations: Row | None = None, version: bool = True) -> Row:
    """The object as read, with another spec and these annotations set, or removed where they are None.

    With its version, Grafana refuses it if the object has changed since.
    """
    metadata = found["metadata"]
    kept = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in _BY_GRAFANA}
    shown = {key: value for key, value in {**kept, **(annotations or {})}.items() if value is not None}
    sent: Row = {"name": metadata["name"], "annotations": shown}
    # A PUT without its labels would remove them.
    if metadata.get("labels"):
        sent["labels"] = metadata["labels"]
    if version:
        sent["resourceVersion"] = metadata["resourceVersion"]
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": sent, "spec": spec}


def annotation_of(found: Row, name: str) -> str | None:
    value = (found["metadata"].get("annotations") or {}).get(name)
    return str(value) if value else None


def refuse_managed(found: Row, kind: str) -> None:
    """Raise `forbidden` for an object that something else manages."""
    manager = annotation_of(found, "grafana.app/managedBy")
    # A Git repository may allow edits: Grafana then commits them.
    if not manager or annotation_of(found, "grafana.app/managerAllowsEdits") == "true":
        return
    identity = annotation_of(found, "grafana.app/managerId")
    shown = _MANAGERS.get(manager, manager) + (f" ({identity})" if identity else "")
    raise refuse_managed_by(kind, str(found["metadata"]["name"]), shown)
