"""Who owns which field, from `managedFields`: which fields a new server-side apply gives up."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kmcp_kubernetes.writing.client_side_apply import owned
from kmcp_runtime import read_json
from kmcp_runtime.kube.objects import FIELD_MANAGER

_MOST_SHOWN = 8


def given_up(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str | None:
    """A warning that names the fields of the previous apply, kubectl's own too, that the new one no longer has."""
    gone = sorted(_applied(before or {}) - _applied(after))
    tops = [path for path in gone if not any(path.startswith((f"{other}.", f"{other}[")) for other in gone)]
    if not tops:
        return None
    shown = ", ".join(tops[:_MOST_SHOWN]) + (f" and {len(tops) - _MOST_SHOWN} more" if len(tops) > _MOST_SHOWN else "")
    return (
        f"{after.get('kind')} {_name(after)}: applied before, but not in this manifest: {shown}; "
        "the server removes (or resets) what no other manager owns"
    )


def _name(found: Mapping[str, Any]) -> str:
    return str((found.get("metadata") or {}).get("name"))


def _applied(found: Mapping[str, Any]) -> set[str]:
    """The fields that this suite owns by server-side apply, or will own: those of kubectl's client-side apply."""
    entries: Iterable[Mapping[str, Any]] = (found.get("metadata") or {}).get("managedFields") or ()
    own = {
        path
        for entry in entries
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")
        for path in _paths(entry.get("fieldsV1") or {}, "")
    }
    return own | {"".join(_step(step, number > 0) for number, step in enumerate(path)) for path in owned(found)}


def _paths(fields: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, inner in fields.items():
        # In FieldsV1 the dot is the object itself beside the fields in it.
        if key == ".":
            continue
        path = f"{prefix}{_step(key, bool(prefix))}"
        yield path
        yield from _paths(inner, path)


def _step(key: str, inside: bool) -> str:
    """`f:spec` as `.spec`, `k:{"name":"web"}` as `[name=web]`, `v:"x"` as `[x]`, `i:0` as `[0]`."""
    kind, _, value = key.partition(":")
    if kind == "f":
        return f".{value}" if inside else value
    if kind == "k":
        return "[" + ",".join(f"{name}={item}" for name, item in read_json(value).items()) + "]"
    return f"[{value.strip(chr(34))}]"
