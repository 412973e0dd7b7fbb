"""The items of a list as they are shown: rows of a table, names, whole objects or single fields of them.

Which items are in a page, and where it ends, is decided in `kmcp_runtime.kube.pages`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kmcp_kubernetes.arguments import Output
from kmcp_kubernetes.client import Place
from kmcp_kubernetes.reading.field_paths import steps_of, value_at
from kmcp_runtime import bad_argument, quoted_list, redaction, suggesting
from kmcp_runtime.kube import objects, pages

Shape = tuple[list[str] | None, list[Any]]
"""Columns, None where the items are no rows; and the items."""


_Value = Callable[[Mapping[str, Any]], Any]
"""What a column shows of a row."""
_NAMESPACE = "namespace"


def shown(page: pages.ListPage, output: Output, place: Place, fields: Sequence[str] | None) -> Shape:
    """The items of a page in the shape that was asked for: `bad_argument` for a column that the table lacks."""
    if output in ("table", "wide"):
        # A caller who names columns may mean those of wide output too.
        return _rows(page, output == "wide" or bool(fields), fields, place)
    if output == "names":
        return None, [_qualified(item["metadata"], place) for item in page.items]
    slim = [objects.slim(item) for item in page.items]
    if not fields:
        # The items of a list come without what they are.
        of = {"apiVersion": place.kind.api_version, "kind": place.kind.kind}
        return None, [{**of, **item} for item in slim]
    # Redacted first: a projection would tear a value from the name that shows it to be a secret.
    whole = [redaction.value({**item, "kind": place.kind.kind}) for item in slim]
    steps = {path: steps_of(path) for path in fields}
    return None, [{path: value_at(item, parts) for path, parts in steps.items()} for item in whole]


def _rows(page: pages.ListPage, wide: bool, fields: Sequence[str] | None, place: Place) -> Shape:
    # The column stands before the others wherever objects of several namespaces are shown.
    everywhere = place.kind.namespaced and place.namespace is None
    named = fields and [field for field in fields if field.lower() != _NAMESPACE]
    columns = _columns(page, wide, named)
    if everywhere:
        columns = [("Namespace", _namespace), *columns]
    rows = _with_objects(page, fields, place)
    return [name for name, _ in columns], [[_cell(value(row)) for _, value in columns] for row in rows]


def values(page: pages.ListPage, fields: Sequence[str], place: Place) -> tuple[list[str], list[list[list[str]]]]:
    """The names of these columns and paths, and for each object the values of each."""
    columns = _columns(page, True, fields)
    rows = _with_objects(page, fields, place)
    return [name for name, _ in columns], [[_each(value(row)) for _, value in columns] for row in rows]


def _each(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _each(item)]
    return [] if value is None else [_cell(value)]


def _with_objects(page: pages.ListPage, fields: Sequence[str] | None, place: Place) -> Iterator[Mapping[str, Any]]:
    """The rows, their objects as they may be shown where paths look into them."""
    whole = has_paths(fields)
    for row in page.items:
        # Redacted first: a projection would tear a value from the name that shows it to be a secret.
        yield (
            {**row, "object": redaction.value({**objects.slim(row["object"]), "kind": place.kind.kind})}
            if whole
            else row
        )


def _columns(page: pages.ListPage, wide: bool, fields: Sequence[str] | None) -> list[tuple[str, _Value]]:
    # A priority above 0 marks the columns of wide output (meta.k8s.io/v1 TableColumnDefinition).
    known: list[tuple[str, _Value]] = [
        (str(column["name"]), _column(index))
        for index, column in enumerate(page.columns)
        if wide or not column.get("priority")
    ]
    return _chosen(known, fields) if fields else known


def _column(index: int) -> _Value:
    return lambda row: row["cells"][index]


def _namespace(row: Mapping[str, Any]) -> Any:
    return ((row.get("object") or {}).get("metadata") or {}).get("namespace")


def _path(field: str) -> _Value:
    parts = steps_of(field)
    return lambda row: value_at(row["object"], parts)


def has_paths(fields: Sequence[str] | None) -> bool:
    """Whether some field is a path in the objects, which a column's name cannot be."""
    return any(_is_path(field) for field in fields or ())


def _is_path(field: str) -> bool:
    return any(mark in field for mark in ".[{")


def _chosen(columns: Sequence[tuple[str, _Value]], fields: Sequence[str]) -> list[tuple[str, _Value]]:
    by_name: dict[str, tuple[str, _Value]] = {_NAMESPACE: ("Namespace", _namespace)}
    by_name |= {name.lower(): (name, value) for name, value in columns}
    for field in fields:
        if field.lower() not in by_name and not _is_path(field):
            names = [name for name, _ in columns]
            raise bad_argument(
                suggesting(f"fields: no column {field!r}", field, names),
                f"columns: {quoted_list(names)}; a path in the objects has a dot: .spec, metadata.labels",
            )
    return [by_name.get(field.lower()) or (field, _path(field)) for field in fields]


def _cell(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(item, list | Mapping) for item in value):
        return ",".join(map(_cell, value))
    if isinstance(value, list | Mapping | bool):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "" if value is None else str(value)


def _qualified(metadata: Mapping[str, Any], place: Place) -> str:
    everywhere = place.kind.namespaced and place.namespace is None
    return f"{metadata['namespace']}/{metadata['name']}" if everywhere else str(metadata["name"])


def unknown(shape: Shape, fields: Sequence[str] | None) -> list[str]:
    """The field paths that none of the items has: a typo looks like an empty column."""
    columns, items = shape
    if not fields or not items:
        return []
    if columns is None:
        return [path for path in fields if all(item.get(path) in (None, []) for item in items)]
    at = {path: columns.index(path) for path in fields if _is_path(path) and path in columns}
    return [path for path, index in at.items() if not any(row[index] for row in items)]
