"""Lists of objects and of kinds."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from kmcp_kubernetes.arguments import Output, ResourceName, ResourceType
from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import (
    AllNamespaces,
    Cursor,
    Effect,
    Limit,
    OptionalNamespace,
    Page,
    Rule,
    Selector,
    Word,
    bad_argument,
    cursors,
    did_you_mean,
    injected,
    redact,
    tool,
)
from kmcp_runtime.kube import objects, pages
from kmcp_runtime.kube.failures import StatusFailure

_MOST_WHOLE = 100
"""Whole objects that are asked for at once: more never fit an answer, and would be read again for each next one."""
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Resources(Page[list[str] | dict[str, Any] | str]):
    """Objects: rows of a table, slim objects, or names."""

    kind: str
    api_version: str
    namespace: str | None = Field(default=None, description="Absent for cluster-scoped kinds and all namespaces")
    columns: list[str] | None = None


@tool(Effect.READ, needs=(Rule("*", ("*",), ("get", "list")),), ignored=("output_format",), shows="objects")
async def k8s_get_resources(
    resource_type: ResourceType,
    resource_name: ResourceName | None = None,
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = None,
    field_selector: Annotated[str | None, Word("Field selector")] = None,
    output: Annotated[Output, Word("Shape")] = "table",
    fields: Annotated[list[str] | None, Word("Columns, or field paths of yaml and json")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    kube: Kube = injected(),
) -> Resources:
    """List objects of any kind as a table, or read one; prefer a table and selectors to whole objects."""
    place = await kube.place(resource_type, namespace, all_namespaces)
    limit = min(limit, _MOST_WHOLE) if output in ("yaml", "json") and not fields else limit
    bound_to = {
        "context": kube.context.name,
        "kind": place.kind.full_name,
        "namespace": place.namespace,
        "output": output,
        "selector": selector,
        "field_selector": field_selector,
    }
    page = await _page(
        kube, place, resource_name, output, _query(place, output, selector, field_selector, limit), cursor, bound_to
    )
    limit = int(cursors.decode(cursor, bound_to).get("l", limit)) if cursor else limit
    columns, items = _shown(page, output, place, fields)
    result = Resources(
        kind=place.kind.kind,
        api_version=place.kind.api_version,
        namespace=place.namespace,
        columns=columns,
        items=items,
        total=page.total,
        truncated=page.next_token is not None,
        cursor=page.cursor(limit, bound_to),
    )
    if result.truncated:
        result.hint = "More exist: narrow with selector, field_selector or namespace, or pass cursor."
    if not items and not page.before:
        result.hint = await _why_empty(kube, place, bool(selector or field_selector))
    result.continues_at(page.cursor_at(limit, bound_to))
    return result


def _query(place: Place, output: Output, selector: str | None, field_selector: str | None, limit: int) -> pages.Query:
    form: pages.Form = "table" if output in ("table", "wide") else "names" if output == "names" else "objects"
    everywhere = place.kind.namespaced and place.namespace is None
    return pages.Query(place.kind, place.namespace, selector, field_selector, limit, form, with_metadata=everywhere)


async def _page(
    kube: Kube,
    place: Place,
    name: str | None,
    output: Output,
    query: pages.Query,
    cursor: str | None,
    bound_to: Mapping[str, Any],
) -> pages.ListPage:
    if name is None:
        return await pages.fetch(kube.api, query, cursor, bound_to)
    if query.form != "table":
        return pages.ListPage(items=[await kube.read(place, name)])
    path = place.kind.path(place.namespace, name)
    try:
        table = await kube.api.get(path, [("includeObject", "None")], _TABLE)
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        raise await kube.absent(place, name, failure) from None
    return pages.ListPage(items=table["rows"], columns=table["columnDefinitions"])


def _shown(
    page: pages.ListPage, output: Output, place: Place, fields: Sequence[str] | None
) -> tuple[list[str] | None, list[Any]]:
    if output in ("table", "wide"):
        return _rows(page, wide=output == "wide" or bool(fields), fields=fields)
    if output == "names":
        return None, [_qualified(item["metadata"], place) for item in page.items]
    slim = [objects.slim(item) for item in page.items]
    if not fields:
        return None, [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in slim]
    # Redacted first: a projection would tear a value from the name that shows it to be a secret.
    whole = [redact.value({**item, "kind": place.kind.kind}) for item in slim]
    return None, [{path: _at(item, _parts(path)) for path in fields} for item in whole]


def _rows(page: pages.ListPage, wide: bool, fields: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    shown = [
        (index, str(column["name"])) for index, column in enumerate(page.columns) if wide or not column.get("priority")
    ]
    if fields:
        shown = _chosen(shown, fields)
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
            suggestion = did_you_mean(field, names)
            raise bad_argument(
                f"fields: no column {field!r}" + (f": {suggestion}" if suggestion else ""),
                f"columns: {', '.join(names)}; for field paths use output=yaml or json",
            )
    return [by_name[field.lower()] for field in fields]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _qualified(metadata: Mapping[str, Any], place: Place) -> str:
    everywhere = place.kind.namespaced and place.namespace is None
    return f"{metadata['namespace']}/{metadata['name']}" if everywhere else str(metadata["name"])


def _at(node: Any, parts: Sequence[str]) -> Any:
    """The value at a path such as `spec.containers.image`; lists on the way are walked through."""
    if not parts:
        return node
    if isinstance(node, list):
        found = [_at(item, parts) for item in node]
        return [item for item in found if item is not None]
    return _at(node.get(parts[0]), parts[1:]) if isinstance(node, Mapping) else None


def _parts(path: str) -> list[str]:
    """Dots separate, `[*]` is implied, a key with dots is written `['a.b']`."""
    parts: list[str] = []
    for number, piece in enumerate(path.lstrip("$.").replace('"', "'").split("['")):
        quoted, _, rest = piece.partition("']") if number else ("", "", piece)
        if number:
            parts.append(quoted)
        parts += [part for part in rest.replace("[*]", "").split(".") if part]
    return parts


async def _why_empty(kube: Kube, place: Place, selected: bool) -> str:
    if place.namespace and await kube.namespace_is_missing(place.namespace):
        raise await kube.missing_namespace(place.namespace)
    where = f"namespace {place.namespace}" if place.namespace else "the cluster"
    if place.defaulted:
        where += " (the context's default; name another, or all_namespaces=true)"
    return f"No {place.kind.plural} in {where}" + (" match the selector." if selected else ".")
