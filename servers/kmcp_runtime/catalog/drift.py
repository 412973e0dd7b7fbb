"""What changed between two lists of tools, and which of it breaks a caller."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .model import ToolEntry, strongest

Schema = Mapping[str, Any]
CONFIGURED = frozenset({"context", "datasource"})  # arguments that exist under a configuration only
_NARROWER = {"minimum": 1, "exclusiveMinimum": 1, "minLength": 1, "minItems": 1} | {
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
}
_DEPTH = 16


@dataclass(frozen=True)
class Drift:
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    breaking: tuple[tuple[str, str], ...] = ()  # tool, reason

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def summary(self, limit: int = 1024) -> str:
        """`added 1 (a); removed 0; changed 2 (b, c); breaking 1 (b: why)`, cut at `limit` characters."""
        classes = (
            ("added", list(self.added)),
            ("removed", list(self.removed)),
            ("changed", list(self.changed)),
            ("breaking", [f"{tool}: {why}" for tool, why in self.breaking]),
        )
        shown = max((len(items) for _, items in classes), default=0)
        text = _summary(classes, shown)
        while len(text) > limit and shown:
            shown -= 1
            text = _summary(classes, shown)
        return text


def _summary(classes: Iterable[tuple[str, list[str]]], shown: int) -> str:
    parts = []
    for name, items in classes:
        more = f" and {len(items) - shown} more" if len(items) > shown else ""
        listed = ", ".join(items[:shown])
        parts.append(f"{name} {len(items)}" + (f" ({listed}{more})" if items else ""))
    return "; ".join(parts)


def diff(old: Iterable[ToolEntry], new: Iterable[ToolEntry]) -> Drift:
    """The difference from `old`, the reference, to `new`; tools and arguments of a configuration don't count."""
    before, after = ({tool.name: tool for tool in tools} for tools in (old, new))
    added = [name for name in sorted(after) if name not in before and not after[name].when]
    removed = [name for name in sorted(before) if name not in after and not before[name].when]
    common = [name for name in sorted(after) if name in before]
    changed = [name for name in common if _differs(before[name], after[name])]
    breaking = [(name, _gone(before[name], [after[n] for n in added])) for name in removed]
    breaking += [(name, why) for name in changed if (why := "; ".join(_breaks(before[name], after[name])))]
    return Drift(tuple(added), tuple(removed), tuple(changed), tuple(breaking))


def _gone(tool: ToolEntry, added: Iterable[ToolEntry]) -> str:
    for other in added:
        # Equal in everything but the name: then callers can be told the new name.
        if _contract(other) == _contract(tool):
            return f"renamed to {other.name}"
    return "removed"


def _contract(tool: ToolEntry) -> Any:
    return (tool.description, _plain(tool.input_schema), tool.output_schema, tool.annotations, tool.strongest_effect)


def _differs(old: ToolEntry, new: ToolEntry) -> bool:
    return old.hash != new.hash and (old.title, _contract(old)) != (new.title, _contract(new))


def _plain(schema: Schema) -> Schema:
    properties = {k: v for k, v in schema.get("properties", {}).items() if k not in CONFIGURED}
    required = [name for name in schema.get("required", ()) if name not in CONFIGURED]
    return {**schema, "properties": properties, "required": sorted(required)}


def _breaks(old: ToolEntry, new: ToolEntry) -> Iterator[str]:
    if strongest((old.strongest_effect, new.strongest_effect)) != old.strongest_effect:
        yield f"effect {old.strongest_effect} became {new.strongest_effect}"
    if old.annotations.get("readOnlyHint") is True and new.annotations.get("readOnlyHint") is not True:
        yield "readOnlyHint lost"
    before, after = _plain(old.input_schema), _plain(new.input_schema)
    yield from _input(_Pair(before, before), _Pair(after, after), "", 0)
    yield from _output(old.output_schema or {}, new.output_schema or {})


@dataclass(frozen=True)
class _Pair:
    """A schema and the document its references point into."""

    schema: Schema
    root: Schema

    def at(self, schema: Any) -> "_Pair":
        # A schema of a foreign server may refer to itself in a circle.
        for _ in range(_DEPTH):
            target = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(target, str) or not target.startswith("#/"):
                break
            schema = _resolve(self.root, target)
        return _Pair(schema if isinstance(schema, Mapping) else {}, self.root)


def _resolve(root: Schema, target: str) -> Any:
    found: Any = root
    for part in target[2:].split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found


def _input(old: _Pair, new: _Pair, path: str, depth: int) -> Iterator[str]:
    """Why an argument that the old schema took may be refused by the new one."""
    if depth > _DEPTH:
        return
    what = f'argument "{path}"' if path else "arguments"
    yield from (f"{what} {why}" for why in _narrowed(old.schema, new.schema))
    before, after = (side.schema.get("properties", {}) for side in (old, new))
    was_required = set(old.schema.get("required", ()))
    for name in sorted(set(new.schema.get("required", ())) - was_required):
        yield f'argument "{_join(path, name)}" became required'
    for name, schema in before.items():
        if name in after:
            yield from _input(old.at(schema), new.at(after[name]), _join(path, name), depth + 1)
        else:
            yield f'argument "{_join(path, name)}" is gone'
    if "items" in old.schema and "items" in new.schema:
        yield from _input(old.at(old.schema["items"]), new.at(new.schema["items"]), f"{path}[]", depth + 1)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _narrowed(old: Schema, new: Schema) -> Iterator[str]:
    if not _types(old) <= _types(new):
        yield f"narrowed from {_names(old)} to {_names(new)}"
    values, left = _values(old), _values(new)
    if left is not None and (values is None or not values <= left):
        yield "lost the values " + ", ".join(sorted(values - left)) if values else "takes fixed values only"
    if old.get("additionalProperties", True) is not False and new.get("additionalProperties", True) is False:
        yield "take no further names any more"
    for key, sign in _NARROWER.items():
        if key in new and (key not in old or sign * (new[key] - old[key]) > 0):
            yield f"got the narrower {key} {new[key]}"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield "got another pattern"


_ANY = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})


def _types(schema: Schema) -> frozenset[str]:
    """The JSON types a schema takes, as far as it says."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return frozenset().union(*(_types(branch) for branch in branches if isinstance(branch, Mapping)))
    kind = schema.get("type")
    names = frozenset([kind] if isinstance(kind, str) else kind or _ANY)
    return names | {"integer"} if "number" in names else names


def _names(schema: Schema) -> str:
    types = _types(schema)
    return "anything" if types == _ANY else " or ".join(sorted(types))


def _values(schema: Schema) -> set[str] | None:
    """The closed set of values, or None where it is open."""
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        sets = [_values(branch) for branch in branches if branch.get("type") != "null"]
        return None if None in sets else set().union(*(found for found in sets if found))
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    return None if values is None else {str(value) for value in values}


def _output(old: Schema, new: Schema) -> Iterator[str]:
    before, after = (side.get("properties", {}) for side in (old, new))
    for name, schema in before.items():
        if name not in after:
            yield f'output "{name}" is gone'
        elif not _types(after[name]) <= _types(schema):
            yield f'output "{name}" was retyped from {_names(schema)} to {_names(after[name])}'
