"""The items of a list as they are shown: rows of a table, names, whole objects or single fields of them.

Which items are in a page, and where it ends, is decided in `kmcp_runtime.kube.pages`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_kubernetes.arguments import Output
from kmcp_kubernetes.client import Place
from kmcp_runtime import bad_argument, quoted_list, redaction, suggesting
from kmcp_runtime.kube import objects, pages

Shape = tuple[list[str] | None, list[Any]]
"""Columns, None where the items are no rows; and the items."""


def shown(page: pages.ListPage, output: Output, place: Place, fields: Sequence[str] | None) -> Shape:
    """The items of a page in the shape that was asked for: `bad_argument` for a column that the table lacks."""
    if output in ("table", "wide"):
        # A caller who names columns may mean those of wide output too.
        return _rows(page, wide=output == "wide" or bool(fields), fields=fields)
    if output == "names":
        return None, [_qualified(item["metadata"], place) for item in page.items]
    slim = [objects.slim(item) for item in page.items]
    if not fields:
        return None, [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in slim]
    # Redacted first: a projection would tear a value from the name that shows it to be a secret.
    whole = [redaction.value({**item, "kind": place.kind.kind}) for item in slim]
    steps = {path: _parts(path) for path in fields}
    return None, [{path: _at(item, parts) for path, parts in steps.items()} for item in whole]


def _rows(page: pages.ListPage, wide: bool, fields: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    # A priority above 0 marks the columns of wide output (meta.k8s.io/v1 TableColumnDefinition).
    shown = [
        (index, str(column["name"])) for index, column in enumerate(page.columns) if wide or not column.get("priority")
    ]
    if fields:
        # The column stands before the others wherever objects of several namespaces are shown.
        shown = _chosen(shown, [field for field in fields if field.lower() != "namespace"])
    with_namespace = any((row.get("object") or {}).get("metadata", {}).get("namespace") for row in page.items)
    columns = [name for _, name in shown]
    rows = [[_cell(row["cells"][index]) for index, _ in shown] for row in page.items]
    if not with_namespace:
        return columns, rows
    namespaces = [row["object"]["metadata"].get("namespace", "") for row in page.items]
    return ["Namespace", *columns], [[namespace, *row] for namespace, row in zip(namespaces, rows, strict=True)]


def _chosen(columns: Sequence[tuple[int, str]], fields: Sequence[str]) -> list[tuple[int, str]]:
    by_name = {name.lower(): (index, name) for index, name in columns}
    for field in fields:
        if field.lower() not in by_name:
            names = [name for _, name in columns]
            raise bad_argument(
                suggesting(f"fields: no column {field!r}", field, names),
                f"columns: {quoted_list(names)}; for field paths use output=yaml or json",
            )
    return [by_name[field.lower()] for field in fields]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _qualified(metadata: Mapping[str, Any], place: Place) -> str:
    everywhere = place.kind.namespaced and place.namespace is None
    return f"{metadata['namespace']}/{metadata['name']}" if everywhere else str(metadata["name"])


def unknown(items: Sequence[Any], fields: Sequence[str] | None) -> list[str]:
    """The field paths that none of the items has: a typo looks like an empty column."""
    paths = [path for path in fields or () if items and isinstance(items[0], Mapping)]
    return [path for path in paths if all(item.get(path) in (None, []) for item in items)]


def _at(node: Any, parts: Sequence[str | int]) -> Any:
    """The value at a path such as `spec.containers.image`; lists on the way are walked through, an index picks one."""
    if not parts:
        return node
    part, rest = parts[0], parts[1:]
    if isinstance(part, int):
        inside = isinstance(node, list) and -len(node) <= part < len(node)
        return _at(node[part], rest) if inside else None
    if isinstance(node, list):
        found = [_at(item, parts) for item in node]
        return [item for item in found if item is not None]
    return _at(node.get(part), rest) if isinstance(node, Mapping) else None


_STEP = re.compile(
    r"""\['(?P<quoted>[^']*)'\] | \["(?P<double>[^"]*)"\] | \[(?P<index>-?\d+)\] | (?P<all>\[\*?\])
    | \.*(?P<name>(?:\\.|[^.\[\]{}\\])+) | \.+""",
    re.VERBOSE,
)
"""One step of a path: a key in brackets, an index, all items, or a name in which `\\.` is a dot."""


def _parts(path: str) -> list[str | int]:
    """A path as kubectl writes it (`{.metadata.labels.a\\.b}`, `['a.b']`, `[0]`, `[*]`), or without braces."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise bad_argument(
                f"fields: {path!r} is not a path",
                "write .metadata.name, .spec.containers[0].image or .metadata.labels['a.b']",
            )
        position = step.end()
        if step["index"] is not None:
            parts.append(int(step["index"]))
        elif step["name"] is not None:
            parts.append(re.sub(r"\\(.)", r"\1", step["name"]))
        elif step["quoted"] is not None or step["double"] is not None:
            parts.append(step["quoted"] or step["double"] or "")
    return parts
