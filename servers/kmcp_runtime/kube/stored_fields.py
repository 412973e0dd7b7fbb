"""What a changed CustomResourceDefinition makes the API server drop from objects that are stored. Pure.

What a structural schema does not name is pruned as soon as the object is read or written again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_runtime.kube.parts import Object, part

_PRESERVES = "x-kubernetes-preserve-unknown-fields"


def lost(name: str, before: Object, after: Object) -> Iterator[str]:
    """In words; nothing for any other kind."""
    if before.get("kind") != "CustomResourceDefinition":
        return
    old_spec, new_spec = part(before, "spec"), part(after, "spec")
    old, new = _versions(old_spec), _versions(new_spec)
    for version in old:
        if version not in new:
            yield f"removes version {version} of {name}"
    if old_spec.get("preserveUnknownFields") is True and new_spec.get("preserveUnknownFields") is not True:
        yield f"drops what objects of {name} hold beyond its schema (preserveUnknownFields)"
    if _strategy(old_spec) == "Webhook" and _strategy(new_spec) != "Webhook":
        yield f"takes the conversion webhook from {name}, without which fields are dropped between versions"
    pairs = [(version, schema, new[version]) for version, schema in old.items() if version in new]
    stored, then = _storage(old_spec), _storage(new_spec)
    if stored != then and stored in old and then in new:
        pairs.append((f"{stored} (stored as {then} then)", old[stored], new[then]))
    for version, was, now in pairs:
        for path in _narrowed(was, now, ()):
            yield f"removes {'.'.join(path) or 'all fields'} from version {version} of {name}, and from what is stored"


def _narrowed(old: Object, new: Object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of values that the old schema keeps and the new one prunes."""
    unknown = _keeps_unknown(new)
    extra = part(new, "additionalProperties")
    for field, schema in part(old, "properties").items():
        known = part(new, "properties")
        here = (*path, str(field))
        if field in known:
            yield from _narrowed(part(schema), part(known[field]), here)
        elif extra:
            yield from _narrowed(part(schema), extra, here)
        elif not unknown:
            yield here
    if _keeps_unknown(old) and not unknown:
        yield (*path, "*")
    elif part(old, "additionalProperties"):
        if extra:
            yield from _narrowed(part(old, "additionalProperties"), extra, (*path, "*"))
        elif not unknown:
            yield (*path, "*")
    if part(old, "items") and not _keeps_unknown(new):
        yield from _narrowed(part(old, "items"), part(new, "items"), (*path, "[]"))


def _keeps_unknown(schema: Object) -> bool:
    return schema.get(_PRESERVES) is True or schema.get("additionalProperties") is True


def _versions(spec: Object) -> dict[str, Object]:
    """The schema of each version by its name."""
    return {str(each.get("name")): part(each, "schema", "openAPIV3Schema") for each in _listed(spec)}


def _storage(spec: Object) -> str:
    return next((str(each.get("name")) for each in _listed(spec) if each.get("storage") is True), "")


def _listed(spec: Object) -> list[Object]:
    found = spec.get("versions")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _strategy(spec: Object) -> Any:
    return part(spec, "conversion").get("strategy")
