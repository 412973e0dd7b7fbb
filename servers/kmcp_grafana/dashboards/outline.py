"""What a dashboard shows, in a few lines instead of a hundred kilobytes: panels, queries, variables and links."""

from collections.abc import Iterator
from typing import Any

from kmcp_grafana.actions.results import pick
from kmcp_grafana.client.grafana import Row

# Each plugin keeps its query in a field of its own; the first that is there is shown.
_QUERY_FIELDS = ("expr", "expression", "rawSql", "query", "target", "queryText", "rawQuery", "scenarioId")
_LONGEST_QUERY = 300


def outline_of(model: Row) -> Row:
    """The outline of a model in either of Grafana's schemas."""
    # The newer schema has `elements` and a layout, the older one a flat list of panels.
    return _of_elements(model) if "elements" in model else _of_panels(model)


def panels_of(model: Row) -> Iterator[Row]:
    """Every panel of a model with a flat list, those inside rows too."""
    for panel in model.get("panels") or ():
        yield panel
        # A collapsed row holds its panels; those of an open row follow it in the flat list.
        yield from panel.get("panels") or ()


def _of_panels(model: Row) -> Row:
    variables = (model.get("templating") or {}).get("list") or ()
    time = model.get("time") or {}
    return {
        **pick(model, "title", "description", "tags", "refresh", "timezone", "schemaVersion"),
        **({"time": f"{time.get('from')} to {time.get('to')}"} if time else {}),
        "variables": [_variable(variable) for variable in variables],
        "panels": [_panel(panel) for panel in panels_of(model)],
        "links": [pick(link, "title", "url", "type", "tags") for link in model.get("links") or ()],
    }


def _variable(variable: Row) -> Row:
    return {**pick(variable, "name", "type"), **_query(variable.get("query")), **_current(variable)}


def _current(variable: Row) -> Row:
    value = (variable.get("current") or {}).get("value")
    return {"current": value} if value not in (None, "", []) else {}


def _panel(panel: Row) -> Row:
    shown = {**pick(panel, "id", "title", "type"), **_source(panel.get("datasource"))}
    queries = [text for target in panel.get("targets") or () if (text := _text(target))]
    return {**shown, **({"queries": queries} if queries else {})}


def _of_elements(spec: Row) -> Row:
    settings = spec.get("timeSettings") or {}
    return {
        **pick(spec, "title", "description", "tags"),
        **({"time": f"{settings.get('from')} to {settings.get('to')}"} if settings else {}),
        "variables": [_element_variable(variable) for variable in spec.get("variables") or ()],
        "panels": [_element(name, element) for name, element in (spec.get("elements") or {}).items()],
        "links": [pick(link, "title", "url", "type", "tags") for link in spec.get("links") or ()],
    }


def _element_variable(variable: Row) -> Row:
    spec = variable.get("spec") or {}
    query = (spec.get("query") or {}).get("spec") if isinstance(spec.get("query"), dict) else spec.get("query")
    return {"name": spec.get("name"), "type": variable.get("kind"), **_query(query), **_current(spec)}


def _element(name: str, element: Row) -> Row:
    spec = element.get("spec") or {}
    visual = spec.get("vizConfig") or {}
    group = ((spec.get("data") or {}).get("spec") or {}).get("queries") or ()
    queries = [((query.get("spec") or {}).get("query") or {}) for query in group]
    texts = [text for query in queries if (text := _text(query.get("spec") or {}))]
    return {
        "element": name,
        **pick(spec, "id", "title"),
        **({"type": visual.get("group") or visual.get("kind")} if visual else {}),
        **({"queries": texts} if texts else {}),
    }


def _text(target: Row) -> str | None:
    """A query in its data source's own language, named when the panel has several."""
    found = next((target[field] for field in _QUERY_FIELDS if target.get(field)), None)
    if found is None:
        return None
    text = " ".join(str(found).split())
    shown = f"{target['refId']}: {text}" if target.get("refId") else text
    return shown if len(shown) <= _LONGEST_QUERY else shown[:_LONGEST_QUERY] + "…"


def _query(query: Any) -> Row:
    if isinstance(query, dict):
        query = next((query[field] for field in _QUERY_FIELDS if query.get(field)), None)
    return {"query": str(query)[:_LONGEST_QUERY]} if query else {}


def _source(source: Any) -> Row:
    if isinstance(source, dict):
        named = "/".join(str(part) for part in (source.get("type"), source.get("uid")) if part)
        return {"datasource": named} if named else {}
    return {"datasource": source} if source else {}
