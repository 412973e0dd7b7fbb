"""Secrets in structured data: Secret objects, fields and columns with a credential's name, documents inside texts.

One walk, whatever the data is: an answer of a tool, an object of a backend, values of a chart, a parsed document. The
place of each value (which object, which path in it) goes along, so that its mark shows whether it changed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_runtime.redaction import names, values
from kmcp_runtime.redaction.cleaning import clean
from kmcp_runtime.redaction.embedded import hide_in_json, may_begin
from kmcp_runtime.redaction.known import REGISTER
from kmcp_runtime.redaction.marks import TOO_DEEP, is_mark, mark
from kmcp_runtime.redaction.pairs import hide_pair
from kmcp_runtime.redaction.places import SECRET_KINDS, At, place_of
from kmcp_runtime.redaction.quiet import (
    LAST_APPLIED,
    PAIR_KEYS,
    SECURE,
    SHORT,
    TABLES,
    is_dull,
    is_plain_there,
    is_quiet,
    is_shown,
    names_below,
    plain_texts,
    shown_keys,
)
from kmcp_runtime.redaction.texts import hide_in_text, may_hold_secret

_SECRET_FIELDS = ("data", "stringData")
# Of a Helm release: gzip in base64, as a ConfigMap holds it and, once more in base64, a Secret.
_PAYLOADS = ("H4sI", "SDRzS")
_STRUCTURAL = (LAST_APPLIED, "secure", "sensitive", *_PAYLOADS)
"""Places that no text would give away."""
_SECRET_YAML = re.compile(r"(?i)secret|secure(?:json|settings)|credentials?:|[a-z_]keys?:[ \t]*\n")
"""Words of a YAML document in which structure says more than its lines do."""
_LABELS = frozenset(("labels", "matchLabels", "nodeSelector", "selector", "podLabels", "commonLabels"))
_PROGRAM = re.compile(
    r"(?:\S*/)?(?:redis-cli|mysql\w*|mariadb\S*|mongo(?:sh)?|psql|sqlcmd|curl|sshpass|openssl|ldapsearch|smbclient|docker"
    r"|podman|helm|az|rclone|wget|keytool|aws|mc|gh|glab|git|kinit|snmp\w+|influx|net|ipmitool|htpasswd|rabbitmqctl|7z"
    r"|zip|gpg|consul|vault|argocd|snyk|mongo\w+|pg_\w+|cqlsh|lftp|kubectl)|-{1,2}[a-z][a-z-]*"
)
_REFERRING_KINDS = ("ExternalSecret", "ClusterExternalSecret", "PushSecret", "SecretProviderClass", "SealedSecret")
_ROWS = ("items", "rows")
_NAMES_OF_ROWS = frozenset(("name", "key", "variable", "setting", "parameter", "option"))
_NAMED_THERE = ("secret", "secrets", "credentials")
DEEPEST = 100
LARGEST_DOCUMENT = 262_144
"""Bytes of a text that is parsed to see whether it is a document; a larger one is read as text alone."""


def hide_in_value(node: Any, *, foreign: bool = False) -> Any:
    """JSON-like data with every secret in it replaced; the input stays as it was.

    `foreign` is what a caller or a chart wrote: its Secrets get marks that cannot be compared with those of live ones.
    """
    return _parsed(node, At(foreign=foreign))


def _parsed(node: Any, at: At) -> Any:
    """A whole structure: what its text as JSON tells at once need not be looked for in each part."""
    whole = _json_text(node)
    unknown = whole is not None and not REGISTER.holds_any(whole)
    if whole is not None and unknown and _is_harmless(whole):
        return node
    plain = plain_texts(node) if whole is not None and len(whole) >= _LARGE else at.plain
    return _walk(node, at._replace(unknown=unknown, plain=plain))


_LARGE = 1 << 20
"""Characters of a structure whose short texts are more than are remembered, and looked at together first."""
_ESCAPED = ("\\u", "\\r", "\\b", "\\f")
"""How JSON writes control characters, which are cleaned away; a backslash of the text's own costs time alone."""


def _json_text(node: Any) -> str | None:
    try:
        return json.dumps(node, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _is_harmless(whole: str) -> bool:
    """True when nothing in a value with this JSON text, keys included, could be replaced; seen in one pass."""
    if not whole.isprintable() or any(word in whole for word in (*_ESCAPED, *_STRUCTURAL)):
        return False
    return not may_hold_secret(whole.encode(errors="surrogatepass"))


def hide_in_document(text: str) -> str:
    """A text with every secret in it replaced; one that is a document is read as one."""
    return _document(clean(text), At(foreign=True))


def _walk(node: Any, at: At) -> Any:
    if at.deep > DEEPEST:
        return TOO_DEEP
    if isinstance(node, str):
        if at.contained and not values.is_empty(node):
            return mark(at.place, node)
        return _document(node, at)
    if type(node) is dict or isinstance(node, Mapping):
        return _mapping(node, at)
    if isinstance(node, list | tuple):
        return _sequence(list(node), at)
    if at.contained and isinstance(node, int | float) and not isinstance(node, bool):
        return mark(at.place, str(node))
    return node


def _mapping(node: Mapping[Any, Any], at: At) -> dict[Any, Any]:
    at = _entered(node, at)
    if not TABLES.isdisjoint(node):
        node = _table(node, at)
    hidden = {} if PAIR_KEYS.isdisjoint(node) else hide_pair(node, at)
    secret = at.secret and any(isinstance(node.get(field), Mapping) for field in _SECRET_FIELDS)
    out: dict[Any, Any] = {}
    plain = True
    for key, item in node.items():
        if secret and key in _SECRET_FIELDS:
            out[key] = _every(item, at.below(key))
        elif key in hidden:
            # Of these alone a part is looked at, and the rest may hold more.
            out[key] = _walk(hidden[key], at.below(key)) if key == "current" else hidden[key]
        elif not at.contained and is_dull(key, item, at):
            out[key] = item
        else:
            plain = plain and is_shown(key, at)
            out[key] = _entry(key, item, at.below(key), node)
    return out if plain else _with_shown_keys(out, at)


def _with_shown_keys(out: dict[Any, Any], at: At) -> dict[Any, Any]:
    """A mapping whose values are done, with its keys as they are shown; most stay."""
    if all(is_shown(key, at) for key in out):
        return out
    shown = shown_keys(out, at)
    return {shown[key]: item for key, item in out.items()}


def _entered(node: Mapping[Any, Any], at: At) -> At:
    """What is known inside this mapping: the object that it is, its place."""
    kind = node.get("kind")
    metadata = node.get("metadata") if at.listed or kind else None
    if isinstance(kind, str):
        at = at._replace(
            secret=kind in SECRET_KINDS or (at.secret and kind == "List"),
            references=kind in _REFERRING_KINDS,
            listed=kind.removesuffix("List"),
        )
    if isinstance(metadata, Mapping) and at.listed:
        # Once: what has metadata further inside (a pod's template) is part of this object.
        at = at._replace(place=place_of(at.listed, metadata, at), listed="")
    return at


def _entry(key: Any, item: Any, at: At, siblings: Mapping[Any, Any]) -> Any:
    if not isinstance(key, str) or item is None or isinstance(item, bool):
        return item if not isinstance(item, str) else _walk(item, at)
    if isinstance(item, str | int | float):
        return _scalar(key, item, at, siblings)
    if type(item) is dict or isinstance(item, Mapping):
        return item if is_quiet(key, item, at) else _fields(key, item, at, siblings)
    if key == "keys" and "keys_base64" in siblings:
        # The shares of Vault's key.
        return _every(item, at)
    if type(item) is list and is_quiet(key, item, at):
        return item
    if names.is_container(key) and _are_texts(item) and not at.references:
        return _walk(item, at._replace(contained=True))
    if key.lower().endswith("auth") and _are_texts(item) and len(item) == 2 and values.is_random(item[1]):
        # A user and a password, as clients of HTTP take them.
        return [_walk(item[0], at.below(0)), mark(at.below(1).place, item[1])]
    if _are_texts(item) and not at.references and values.all_hide(item, names.strength(key)):
        return [value if values.is_empty(value) else mark(at.below(n).place, value) for n, value in enumerate(item)]
    if type(item) is list and not at.references:
        item = [_named_by_parent(key, each, at) if isinstance(each, Mapping) else each for each in item]
    return _walk(item, at)


def _fields(key: str, item: Mapping[str, Any], at: At, siblings: Mapping[Any, Any]) -> Any:
    """A mapping under a key that may say what its values are."""
    if key in SECURE:
        return _every(item, at)
    if key in _LABELS:
        plain = {name: _walk(value, at.below(name)._replace(contained=False)) for name, value in item.items()}
        return _with_shown_keys(plain, at)
    if key == "metric":
        # Series about Secrets have labels that name them.
        shown = {name: text for name, text in item.items() if name in _NAMED_THERE and not values.is_made(str(text))}
        rest = _walk({name: text for name, text in item.items() if name not in shown}, at)
        return {name: shown[name] if name in shown else rest[name] for name in item}
    if key == "settings" and "type" in siblings:
        return _settings(item, at)
    if key == "template" and at.references:
        # Of the Secret that is made: what stands there is not only a name.
        return _walk(item, at._replace(references=False))
    if not at.references:
        item = _named_by_parent(key, item, at)
    if key == "auths":
        return _with_shown_keys({host: _registry(entry, at.below(host)) for host, entry in item.items()}, at)
    return _walk(item, at._replace(contained=True) if names.is_container(key) and not at.references else at)


_SHORTEST_BELOW = 12
_CAMEL = re.compile(r"[A-Za-z][a-z]*\d*(?:[A-Z][a-z]+\d*)*")
"""Names of fields, which are listed too: `httpHeaderValue1`."""
_DEFAULTS = ("default", "value", "plain", "content", "example")
"""What stands below a credential's name as its default or value: of parameters of templates, of schemas."""
_SOURCES = ("inline_string", "inline_bytes", "inlinestring", "inlinebytes")
"""Where Envoy's configuration holds a value itself."""


def _named_by_parent(key: str, item: Mapping[str, Any], at: At) -> Mapping[str, Any]:
    """Values that the key above them names: `password: {value: …}`, `apiKeys: {alice: …}`, `jwt: {key: …}`."""
    below, held = names_below(key)
    if not below and not held and not names.strength(key):
        return item
    return {
        name: mark(at.below(name).place, value)
        if isinstance(name, str) and isinstance(value, str) and _is_named(name.lower(), value, below, held)
        else value
        for name, value in item.items()
    }


def _is_named(name: str, value: str, below: bool, held: bool) -> bool:
    if (below and name in _DEFAULTS) or name in _SOURCES:
        return not values.is_empty(value)
    # What is written beside a credential (`audience`, `algorithm`) is short, or several words.
    if not below and not held:
        return False
    made = len(value) >= _SHORTEST_BELOW and values.is_made(value) and "://" not in value and " " not in value
    if below and name == "key" and values.is_random(value):
        return True
    return made and (name == "key" if held and not below else not names.is_reference(name))


def _scalar(key: str, item: str | float, at: At, siblings: Mapping[Any, Any]) -> Any:
    text = item if isinstance(item, str) else str(item)
    if key == LAST_APPLIED or (key == "release" and text.startswith(_PAYLOADS)):
        return mark(at.place, text)
    if at.contained:
        if names.is_reference(key) and not names.strength(key):
            return _document(item, at._replace(contained=False)) if isinstance(item, str) else item
        return item if values.is_empty(text) else mark(at.place, text)
    found = None if at.references or "remoteRef" in siblings else names.strength(key)
    if names.holds_login(key) and values.is_login(text):
        return mark(at.place, text)
    if key == "secret" and values.names_object(text, in_namespace="namespace" in siblings and "-" in text):
        return item
    if found and values.hides_in_structure(text, found) and not (found == "strong" and _is_small(key, item)):
        return mark(at.place, text)
    return _document(item, at) if isinstance(item, str) else item


def _is_small(key: str, item: str | float) -> bool:
    """A count under a name that ends like a credential's: `token: 3`; a password of digits is one all the same."""
    lowered = key.lower()
    return not isinstance(item, str) and not any(word in lowered for word in ("pass", "pwd", "pin", "secret", "key"))


def _are_texts(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(part, str) for part in item)


def _every(node: Any, at: At) -> Any:
    """A mapping whose values are secrets, all of them, whatever they are."""
    if isinstance(node, list):
        return [_every(item, at.below(number)) for number, item in enumerate(node)]
    if isinstance(node, Mapping):
        return _with_shown_keys({key: _every(item, at.below(key)) for key, item in node.items()}, at)
    if node is None or (isinstance(node, str) and (not node or is_mark(node))):
        return node
    return mark(at.place, node if isinstance(node, str) else json.dumps(node, default=str))


def _settings(node: Mapping[str, Any], at: At) -> dict[str, Any]:
    """Settings of a contact point: who has the address of a webhook may post to it."""
    entries = {
        key: mark(at.below(key).place, item)
        if isinstance(item, str) and key.lower().endswith("url") and values.hides_in_structure(item, "weak")
        else _entry(key, item, at.below(key), node)
        for key, item in node.items()
    }
    return _with_shown_keys(entries, at)


def _registry(entry: Any, at: At) -> Any:
    """One registry of a Docker configuration: everything but the address and the user is a credential."""
    if not isinstance(entry, Mapping):
        return _walk(entry, at)
    shown = ("username", "email", "registry")
    entries = {key: item if key in shown else _every(item, at.below(key)) for key, item in entry.items()}
    return _with_shown_keys(entries, at)


def _sequence(node: list[Any], at: At) -> list[Any]:
    if len(node) > 1 and all(isinstance(item, str) for item in node):
        return _lines(node, at)
    return [_walk(item, at.below(number)) for number, item in enumerate(node)]


def _is_long(value: str) -> bool:
    made = len(value) >= _SHORTEST_BELOW and values.is_made(value) and " " not in value
    return made and not _CAMEL.fullmatch(value)


def _lines(node: list[str], at: At) -> list[str]:
    """Arguments or lines: a flag and its value, and a key that spans several lines, are seen only together."""
    if at.contained:
        return [_walk(item, at.below(number)) for number, item in enumerate(node)]
    if len(node) == 2 and names.strength(node[0]) == "strong" and _is_long(node[1]):
        # A header, as a list of two; names of credentials are listed, too.
        return [node[0], mark(at.below(1).place, node[1])]
    out: list[str] = []
    for number, item in enumerate(node):
        flag = node[number - 1] if number else ""
        found = names.strength(flag.lstrip("-")) if flag.startswith("-") and "=" not in flag else None
        if found and not item.startswith("-") and values.hides_in_structure(item, found):
            out.append(mark(at.below(number).place, item))
        else:
            out.append(item)
    if _PROGRAM.fullmatch(out[0]) and not any(item.isspace() or " " in item or "\n" in item for item in out):
        # A command line whose flags only its program explains: `redis-cli -a …`.
        line = hide_in_text(" ".join(out), at.place).split(" ")
        out = line if len(line) == len(out) else out
    if not any("\n" in item for item in out):
        # A private key spans several lines, and a value may stand on the line below its name.
        joined = hide_in_text("\n".join(out), at.place).split("\n")
        if len(joined) != len(out):
            return joined
        out = joined
    return [_document(item, at.below(number)) for number, item in enumerate(out)]


def _table(node: Mapping[Any, Any], at: At) -> Mapping[Any, Any]:
    """The mapping with the cells of its rows hidden, if it is a table: columns, and lists of as many cells."""
    columns = next((node[key] for key in ("columns", "columnDefinitions") if key in node), None)
    if not isinstance(columns, list):
        return node
    named = [str(column.get("name") if isinstance(column, Mapping) else column) for column in columns]
    return {
        key: [_table_row(row, named, at) for row in node[key]]
        if key in _ROWS and isinstance(node[key], list)
        else node[key]
        for key in node
    }


def _table_row(row: Any, columns: Sequence[str], at: At) -> Any:
    if isinstance(row, list | tuple):
        return _row(row, columns, at)
    if isinstance(row, Mapping) and isinstance(row.get("cells"), list):
        # As the API server prints a table.
        return {**row, "cells": _row(row["cells"], columns, at)}
    return row


def _row(row: Sequence[Any], columns: Sequence[str], at: At) -> list[Any]:
    """A table's cells: a column is named as a field is, but one of Secrets mostly names them."""
    lowered = [column.lower() for column in columns]
    if len(row) == len(columns) and "value" in lowered and (name := _NAMES_OF_ROWS.intersection(lowered)):
        # A row for each setting.
        hidden = hide_pair({"name": row[lowered.index(next(iter(name)))], "value": row[lowered.index("value")]}, at)
        row = [
            hidden.get("value", row[number]) if column == "value" else row[number]
            for number, column in enumerate(lowered)
        ]
    return [
        _scalar(columns[number], cell, at, {})
        if number < len(columns)
        and isinstance(cell, str | int | float)
        and not isinstance(cell, bool)
        and (columns[number].lower() not in _NAMED_THERE or values.is_made(str(cell)))
        else cell
        for number, cell in enumerate(row)
    ]


def _document(text: str, at: At) -> str:
    """A text; when it is a document (JSON, or YAML with an object of kind Secret) it is read as one."""
    if len(text) <= SHORT and is_plain_there(text, at) and (at.unknown or not REGISTER.holds_any(text)):
        return text
    if at.references or len(text) < 8 or len(text) > LARGEST_DOCUMENT:
        return hide_in_text(text, at.place)
    if may_begin(text) and may_hold_secret(text.encode(errors="surrogatepass")):
        # What is inside stood here in other escapes, which the search of the whole may not know.
        inside = at._replace(foreign=True, unknown=False, deep=at.deep + 1)
        text = hide_in_json(text, lambda node: _parsed(node, inside), lambda inner: _document(inner, inside))
    if "\n" in text and ("kind:" in text or ":" in text) and _SECRET_YAML.search(text):
        from kmcp_runtime.redaction.documents import hide_in_yaml

        text = hide_in_yaml(clean(text), lambda node: _walk(node, at._replace(foreign=True, unknown=False)))
    return hide_in_text(text, at.place)
