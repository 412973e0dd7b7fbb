"""Objects that `kubectl apply` made without `--server-side`: server-side apply takes over what that apply owned.

Without it a field that left the manifest would stay for ever, owned by an apply that nobody does any more. As `kubectl
apply --server-side` does: what the manager of the last-applied annotation owns moves to this server's apply, and the
manifest is applied once more, which removes what it does not hold.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_runtime import read_json
from kmcp_runtime.kube.objects import FIELD_MANAGER, Object
from kmcp_runtime.redaction import LAST_APPLIED

Tree = Mapping[str, Any]
"""FieldsV1: `f:name` for a field, `k:{…}` and `v:…` for an item of a list, `.` for the thing itself."""
Path = tuple[str, ...]
_ANNOTATION: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def migrated(found: Object) -> list[Object] | None:
    """The managedFields after the takeover; None where no client-side apply owns anything."""
    entries = _entries(found)
    theirs = [entry for entry in entries if is_client_side(entry)]
    if not theirs:
        return None
    kept = [entry for entry in entries if entry not in theirs]
    own = next((entry for entry in kept if _is_own(entry)), None)
    merged: Object = {}
    for entry in (*theirs, *([own] if own else [])):
        merged = _union(merged, entry.get("fieldsV1") or {})
    base = own or theirs[-1]
    taken = {**base, "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": merged}
    return [*(entry for entry in kept if entry is not own), taken]


def takeover(found: Object) -> list[Object]:
    """The operations that write what `migrated` says, for the object as it is and no other version of it."""
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": migrated(found)},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]},
    ]


def foreseen(rehearsed: Object) -> Object:
    """What a dry run left of an object, as the takeover will leave it."""
    entries = _entries(rehearsed)
    kept = [entry for entry in entries if not is_client_side(entry)]
    others = {path for entry in kept for path in _paths(entry.get("fieldsV1") or {})}
    result = copy.deepcopy(rehearsed)
    # An item goes before the fields in it are looked for.
    for path in sorted(set(owned(rehearsed)) - others, key=len):
        _remove(result, path)
    result["metadata"]["managedFields"] = kept
    return result


def owned(found: Tree) -> Iterator[Path]:
    """What a client-side apply set. Its manager owns the defaults of the server too, which come back by themselves."""
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    try:
        applied = read_json(annotations.get(LAST_APPLIED) or "null")
    except ValueError:
        applied = None  # Anybody may have written there.
    for entry in _entries(found):
        if is_client_side(entry):
            yield from (path for path in _paths(entry.get("fieldsV1") or {}) if _has(applied, path))


def _entries(found: Tree) -> Sequence[Object]:
    return (found.get("metadata") or {}).get("managedFields") or ()


def is_client_side(entry: Tree) -> bool:
    """Whether an entry of managedFields is of the manager that wrote kubectl's last-applied annotation."""
    fields: Any = entry.get("fieldsV1") or {}
    for step in _ANNOTATION:
        fields = fields.get(step) if isinstance(fields, dict) else None
    return fields is not None and entry.get("operation") == "Update" and not entry.get("subresource")


def _is_own(entry: Object) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == (
        FIELD_MANAGER,
        "Apply",
        "",
    )


def _union(one: Tree, other: Tree) -> Object:
    return {key: _union(one.get(key) or {}, other.get(key) or {}) for key in (*one, *other)}


def _paths(tree: Tree, prefix: Path = ()) -> Iterator[Path]:
    """The path of each field without fields in it, and of each item of a list."""
    for key, inner in tree.items():
        if key == ".":
            if prefix and not prefix[-1].startswith("f:"):
                yield prefix
        elif inner:
            yield from _paths(inner, (*prefix, key))
        else:
            yield (*prefix, key)


def _has(node: Any, path: Path) -> bool:
    for step in path:
        node = _inside(node, step)
    return node is not None


def _remove(node: Any, path: Path) -> None:
    *steps, last = path
    for step in steps:
        node = _inside(node, step)
        if node is None:
            return
    kind, _, name = last.partition(":")
    if kind == "f" and isinstance(node, dict):
        node.pop(name, None)
    elif isinstance(node, list):
        gone = _inside(node, last)
        node[:] = [item for item in node if item is not gone]


def _inside(node: Any, step: str) -> Any:
    kind, _, name = step.partition(":")
    if kind == "f":
        return node.get(name) if isinstance(node, dict) else None
    wanted = read_json(name) if kind in ("k", "v") else None
    for item in node if isinstance(node, list) else ():
        matches = (
            isinstance(item, dict)
            and isinstance(wanted, dict)
            and all(
                # A key that has a default may be absent from the item: the protocol of a port.
                item.get(key, value) == value
                for key, value in wanted.items()
            )
        )
        if matches or (kind == "v" and item == wanted):
            return item
    return None
