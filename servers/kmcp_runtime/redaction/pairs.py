"""Mappings of which one field names the other, as `{name: DB_PASSWORD, value: …}` does; a JSON Web Key."""

import json
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.redaction import names, values
from kmcp_runtime.redaction.marks import mark
from kmcp_runtime.redaction.places import At
from kmcp_runtime.redaction.quiet import PAIRS

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_EVERYDAY = ("type", "id", "label")
_LOOSE = ("default", "query", "new")


def hide_pair(node: Mapping[Any, Any], at: At) -> dict[str, Any]:
    """`{name: DB_PASSWORD, value: …}`: the value is what the name says."""
    if node.get("sensitive") is True and node.get("value") is not None:
        # An output of Terraform, whose name is the key above.
        value = node["value"]
        return {"value": mark(at.below("value").place, value if isinstance(value, str) else json.dumps(value))}
    if isinstance(node.get("result"), str) and ("bcrypt_hash" in node or "length" in node):
        return {"result": mark(at.below("result").place, node["result"])}
    if isinstance(node.get("kty"), str):
        # A JSON Web Key: these members are its private part (RFC 7518, 6).
        return {key: mark(at.below(key).place, str(node[key])) for key in _PRIVATE if key in node}
    for value, known in PAIRS.items():
        if value in node:
            for name in known:
                if name in node and (hidden := _told(node[name], name, node[value], value, at)):
                    return {**hidden, **_current(node, at)}
    if isinstance(node.get("op"), str) and isinstance(node.get("path"), str) and "value" in node:
        # An operation of a JSON patch.
        return hide_pair({"name": node["path"].rpartition("/")[2], "value": node["value"]}, at)
    return {}


def _current(node: Mapping[Any, Any], at: At) -> dict[str, Any]:
    """What a variable of a dashboard is set to now."""
    current = node.get("current")
    if not isinstance(current, Mapping):
        return {}
    return {"current": {key: _set(item, at.below(f"current/{key}")) for key, item in current.items()}}


def _set(item: Any, at: At) -> Any:
    """A text of such a variable, or each of several."""
    if isinstance(item, list):
        return [_set(each, at) for each in item]
    return mark(at.place, item) if isinstance(item, str) and values.hides_in_structure(item, "weak") else item


def _told(named: Any, name: str, item: Any, value: str, at: At) -> dict[str, Any]:
    """The field of a value, hidden, if what names it is a credential's name."""
    if not isinstance(named, str):
        return {}
    if isinstance(item, Mapping) and isinstance(item.get("stringValue"), str):
        # An attribute of OpenTelemetry.
        inner = _told(named, name, item["stringValue"], value, at)
        return {value: {**item, "stringValue": inner[value]}} if inner else {}
    if not isinstance(item, str | int | float) or isinstance(item, bool):
        return {}
    found = names.strength(named) or ("strong" if names.holds_login(named) and values.is_login(str(item)) else None)
    if found and (name in _EVERYDAY or value in _LOOSE):
        # A type is a word of every day, so its value must look like one.
        found = "weak"
    if not found or not values.hides_in_structure(str(item), found):
        return {}
    return {value: mark(at.below(f"{named}/{value}").place, str(item))}
