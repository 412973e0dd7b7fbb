"""Selectors: an object's own selector as a query, and where a given query is malformed.

The API server says what it expected, but not at which character.
"""

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(==|!=|[=,()!<>]|[^\s=,()!<>]+)")
_COMPARISONS = ("=", "==", "!=", "<", ">")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_FORM = {
    "selector": "write key=value, key!=value, key in (a,b), !key; separated by commas",
    "field_selector": "write field=value or field!=value, separated by commas; metadata.name and metadata.namespace "
    "work for every kind",
}


def selector_of(spec: Mapping[str, Any]) -> str | None:
    """A label selector object, written as a query; None when there is none."""
    selector = spec.get("selector")
    if not selector:
        return None
    # Services and ReplicationControllers have plain labels as their selector.
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in selector.items())
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return ",".join([*parts, *(_expression(each) for each in selector.get("matchExpressions") or ())])


def _expression(each: Mapping[str, Any]) -> str:
    key, operator = each["key"], each["operator"]
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    return f"{key} {'in' if operator == 'In' else 'notin'} ({','.join(each.get('values') or ())})"


def matches(spec: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether the selector of an object's spec takes these labels; an empty one takes none."""
    selector = spec.get("selector")
    if not isinstance(selector, Mapping) or not selector:
        return False
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return all(labels.get(key) == value for key, value in selector.items())
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(each: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    value, values = labels.get(each["key"]), each.get("values") or ()
    by_operator = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    # Of an operator that is not known nothing is excluded.
    return by_operator.get(str(each["operator"]), True)


def fault(selectors: Mapping[str, str | None]) -> tuple[str, str, int] | None:
    """The first malformed one: its argument, its text, and the position (from 1) of what does not belong there."""
    for argument, text in selectors.items():
        position = (label_fault if argument == "selector" else field_fault)(text) if text else None
        if text and position is not None:
            return argument, text, position + 1
    return None


def form(argument: str) -> str:
    return _FORM[argument]


def field_fault(text: str) -> int | None:
    """Offset of the first term without an operator or a field."""
    offset = 0
    for term in text.split(","):
        field = re.match(r"\s*[^=!]+(?:==?|!=)", term)
        if term.strip() and not field:
            return offset
        offset += len(term) + 1
    return None


def label_fault(text: str) -> int | None:
    """Offset of the first token that the grammar of label selectors has no place for."""
    tokens = [(match[1], match.start(1)) for match in _TOKEN.finditer(text)] + [("", len(text))]
    at = 0
    while True:
        at, ok = _requirement(tokens, at)
        word, offset = tokens[at]
        if not ok or word not in (",", ""):
            return offset
        if not word:
            return None
        at += 1


_Tokens = list[tuple[str, int]]


def _requirement(tokens: _Tokens, at: int) -> tuple[int, bool]:
    """Where a requirement ends; False when the token there is wrong."""
    absent = tokens[at][0] == "!"
    at += absent
    if not _NAME.fullmatch(tokens[at][0]):
        return at, False
    at += 1
    word = tokens[at][0]
    if absent or word in (",", ""):
        return at, True
    if word in _COMPARISONS:
        at += 1
        return _value(tokens, at)
    return _set(tokens, at + 1) if word in ("in", "notin") else (at, False)


def _value(tokens: _Tokens, at: int) -> tuple[int, bool]:
    if tokens[at][0] in (",", ""):  # `key=` is valid: the empty value.
        return at, True
    valid = bool(_NAME.fullmatch(tokens[at][0])) and "/" not in tokens[at][0]
    return (at + 1, True) if valid else (at, False)


def _set(tokens: _Tokens, at: int) -> tuple[int, bool]:
    if tokens[at][0] != "(":
        return at, False
    while True:
        at, ok = _value(tokens, at + 1) if tokens[at + 1][0] != ")" else (at + 1, True)
        if not ok or tokens[at][0] not in (",", ")"):
            return at, False
        if tokens[at][0] == ")":
            return at + 1, True
