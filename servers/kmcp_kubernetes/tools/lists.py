"""Lists of objects and of kinds."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from kmcp_kubernetes.arguments import Output, ResourceName, ResourceType
from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.reading import kind_walk, list_shapes, value_counts
from kmcp_runtime import (
    AllNamespaces,
    Cursor,
    Effect,
    Holds,
    Limit,
    OptionalNamespace,
    Page,
    Rule,
    Selector,
    bad_argument,
    check_name,
    sliced,
    tool,
)
from kmcp_runtime.kube import pages
from kmcp_runtime.worker import run_in_thread

_MOST_WHOLE = 100
"""Whole objects in one request: more never fit an answer, and each next page would read them again."""
_MORE = "More exist: narrow with selector, field_selector or namespace, or pass cursor."
_FIELDS = Holds(characters=8 << 10, values=100)
"""Each is looked up in each object of the page."""


class Resources(Page[list[str] | dict[str, Any] | str]):
    """Objects: rows of a table, slim objects, or names."""

    kind: str = Field(description="List where several kinds were asked for")
    api_version: str
    namespace: str | None = Field(default=None, description="Absent for cluster-scoped kinds and all namespaces")
    columns: list[str] | None = None


@tool(Effect.READ, needs=(Rule("*", ("*",), ("get", "list")),), ignored=("output_format",), shows="objects")
async def k8s_get_resources(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName | None = None,
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = None,
    field_selector: Annotated[str | None, "Field selector"] = None,
    output: Annotated[Output, "Shape"] = "table",
    fields: Annotated[list[str] | None, "Columns or field paths; counts: to count by", _FIELDS] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Resources:
    """List objects of any kind as a table, or read one; prefer a table and selectors to whole objects."""
    resource_type, resource_name = _one_kind(resource_type, resource_name)
    _check_one_object(resource_name, any((selector, field_selector, all_namespaces, output == "counts")))
    places = await kube.places(resource_type, namespace, all_namespaces)
    place = places[0]
    limit = min(limit, _MOST_WHOLE) if output in ("yaml", "json") and not fields else limit
    bound_to = _bound_to(kube, places, output, selector, field_selector)
    if len(places) > 1:
        narrowing = pages.Query(place.kind, None, selector, field_selector, limit)
        return await _of_several(kube, places, resource_name, narrowing, output, fields, cursor, bound_to)
    query = _query(place, output, selector, field_selector, limit, fields)
    if output == "counts":
        return await _count(kube, place, query, fields, cursor, bound_to)
    page = await _fetch_page(kube, place, resource_name, output, query, cursor, bound_to)
    shape = await run_in_thread(list_shapes.shown, page, output, place, fields)
    result = _cut(page, place, shape, page.cursor(bound_to))
    if not page.items and not page.before:
        result.hint = await _explain_empty(kube, [place], bool(selector or field_selector))
    if missing := list_shapes.unknown(shape, fields):
        result.warnings = [_none_has(missing)]
    result.continues_at(page.cursor_at(bound_to))
    return result.written_as(output if output in ("yaml", "json") else None)


def _bound_to(
    kube: Kube, places: Sequence[Place], output: Output, selector: str | None, field_selector: str | None
) -> dict[str, Any]:
    return {
        "context": kube.context.name,
        "kind": ",".join(each.kind.full_name for each in places),
        "namespace": next((each.namespace for each in places if each.kind.namespaced), None),
        "output": output,
        "selector": selector,
        "field_selector": field_selector,
    }


async def _of_several(
    kube: Kube,
    places: list[Place],
    name: str | None,
    narrowing: pages.Query,
    output: Output,
    fields: list[str] | None,
    cursor: str | None,
    bound_to: dict[str, Any],
) -> Resources:
    """The objects of several kinds, as far as they may be read, in one list."""
    if output == "counts":
        raise bad_argument("output=counts takes one kind in a call", "call once for each kind")

    async def fetch(place: Place, inside: str | None, bound: Mapping[str, Any]) -> pages.ListPage:
        query = _query(place, output, narrowing.selector, narrowing.field_selector, narrowing.limit, fields)
        return await _fetch_page(kube, place, name, output, query, inside, bound)

    found = await kind_walk.walk(places, fetch, cursor, narrowing.limit, bound_to)
    columns, items = await run_in_thread(kind_walk.shown, found, output, fields)
    cursor_at = found.cursor_at(bound_to)
    truncated = not found.complete or len(items) > narrowing.limit
    items = items[: narrowing.limit]
    result = Resources(
        kind="List",
        api_version="v1",
        namespace=bound_to["namespace"],
        columns=columns,
        items=items,
        total=found.total,
        truncated=truncated,
        cursor=cursor_at(len(items)) if truncated else None,
        hint=_MORE if truncated else None,
    )
    if not items and not truncated and cursor is None:
        result.hint = await _explain_empty(kube, places, bool(narrowing.selector or narrowing.field_selector))
    missing = list_shapes.unknown((columns, items), fields)
    result.warnings = [*found.warnings, *([_none_has(missing)] if missing else [])] or None
    result.continues_at(cursor_at)
    return result.written_as(output if output in ("yaml", "json") else None)


def _check_one_object(name: str | None, narrowed: bool) -> None:
    if name and narrowed:
        raise bad_argument(
            "resource_name names one object: selector, field_selector, all_namespaces and counts do not go with it",
            "leave out resource_name, or the others (field_selector=metadata.name=… finds a name in all namespaces)",
        )


def _one_kind(resource_type: str, name: str | None) -> tuple[str, str | None]:
    """Kind and name, also where they are written `pod/web`."""
    kind, separator, inside = resource_type.partition("/")
    if separator and name is None and inside:
        try:
            return kind, check_name(inside)
        except ValueError as error:
            raise bad_argument(
                f"resource_type: {error}", "write one object as pod/web, or several kinds as pods,services"
            ) from None
    return resource_type, name


def _cut(page: pages.ListPage, place: Place, shape: list_shapes.Shape, cursor: str | None) -> Resources:
    """The page as an answer that says whether the API server cut the list after it."""
    columns, items = shape
    truncated = page.next_token is not None
    return Resources(
        kind=place.kind.kind,
        api_version=place.kind.api_version,
        namespace=place.namespace,
        columns=columns,
        items=items,
        total=page.total,
        truncated=truncated,
        cursor=cursor,
        hint=_MORE if truncated else None,
    )


def _query(
    place: Place, output: Output, selector: str | None, field_selector: str | None, limit: int, fields: list[str] | None
) -> pages.Query:
    form: pages.Form = "names" if output == "names" else "objects" if output in ("yaml", "json") else "table"
    everywhere = place.kind.namespaced and place.namespace is None
    metadata = everywhere or any(field.lower() == "namespace" for field in fields or ())
    rows_with: pages.RowsWith = "Object" if list_shapes.has_paths(fields) else "Metadata" if metadata else "None"
    return pages.Query(place.kind, place.namespace, selector, field_selector, limit, form, rows_with)


async def _count(
    kube: Kube,
    place: Place,
    query: pages.Query,
    fields: list[str] | None,
    cursor: str | None,
    bound_to: dict[str, Any],
) -> Resources:
    """How many objects have each value of the fields, or of those that are usual for the kind, over all pages."""
    found = await value_counts.count(kube.api, query, place, fields)
    result = sliced(
        Resources,
        found.rows,
        query.limit,
        cursor,
        {**bound_to, "fields": fields},
        kind=place.kind.kind,
        api_version=place.kind.api_version,
        namespace=place.namespace,
        columns=found.columns,
    )
    others = "" if fields else ' fields counts by others: ["spec.containers[*].image"].'
    result.hint = f"Values of {found.objects:,} objects, the most frequent first.{others}"
    if not found.objects:
        result.hint = await _explain_empty(kube, [place], bool(query.selector or query.field_selector))
    if found.missing:
        result.warnings = [_none_has(found.missing)]
    return result


def _none_has(paths: list[str]) -> str:
    return f"none of these objects has {', '.join(paths)}; names are case-sensitive (k8s_explain)"


async def _fetch_page(
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
    found = await kube.read(place, name, query=[("includeObject", query.rows_with)], accept=pages.FORMS["table"])
    rows, columns = pages.tabulated(found, [found])
    return pages.ListPage(items=rows, columns=columns)


async def _explain_empty(kube: Kube, places: Sequence[Place], selected: bool) -> str:
    place = next((each for each in places if each.kind.namespaced), places[0])
    if place.namespace and await kube.namespace_is_missing(place.namespace):
        raise await kube.explain_missing_namespace(place.namespace)
    where = f"namespace {place.namespace}" if place.namespace else "the cluster"
    if place.defaulted:
        where += " (the context's default; name another, or all_namespaces=true)"
    plurals = ", ".join(each.kind.plural for each in places)
    return f"No {plurals} in {where}" + (" match the selector." if selected else ".")
