"""The published shapes of requests, read from `published.yaml`, and whether a request has them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "object": dict}
_OWN_HEADERS = ("x-disable-provenance",)


@dataclass(frozen=True)
class Route:
    method: str
    template: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: str | None = None
    role: str = "Viewer"
    needs: str = ""
    pattern: re.Pattern[str] = field(default=re.compile(""), compare=False)

    def params(self, path: str) -> dict[str, str] | None:
        match = self.pattern.fullmatch(path)
        return match.groupdict() if match else None


@cache
def published() -> tuple[tuple[Route, ...], Mapping[str, Any]]:
    whole = yaml.safe_load((Path(__file__).parent / "published.yaml").read_text())
    routes = [_route(key, told or {}) for key, told in whole["routes"].items()]
    # Fixed segments before variable ones: `/teams/search` is no team.
    routes.sort(key=lambda route: route.template.count("{"))
    return tuple(routes), whole["definitions"]


def faults_of(route: Route, query: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> Iterator[str]:
    """What in a request is not as published."""
    for name in query:
        if name not in route.query:
            yield f"query parameter {name} is not published"
    for name in _OWN_HEADERS:
        if name in headers and name not in [known.lower() for known in route.headers]:
            yield f"header {name} is not published"
    if route.body is None:
        if body is not None:
            yield "a body is not published"
    elif not isinstance(body, dict):
        yield "the body is no object"
    else:
        yield from _faults(body, route.body, "body")


def _faults(value: Any, kind: str, where: str) -> Iterator[str]:
    kind = kind.removesuffix("!")
    if kind == "any":
        return
    if kind.startswith("enum("):
        if value not in kind[5:-1].split("|"):
            yield f"{where}: {value!r} is not one of {kind[5:-1]}"
    elif kind.startswith("["):
        yield from _faults_of_list(value, kind[1:-1], where)
    elif kind.startswith("{"):
        yield from _faults_of_map(value, kind[1:-1], where)
    elif kind in _TYPES:
        if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
            yield f"{where}: {value!r} is no {kind}"
    else:
        yield from _faults_of_fields(value, published()[1][kind], where)


def _faults_of_list(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: no list"
        return
    for number, item in enumerate(value):
        yield from _faults(item, kind, f"{where}[{number}]")


def _faults_of_map(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: no object"
        return
    for name, item in value.items():
        yield from _faults(item, kind, f"{where}.{name}")


def _faults_of_fields(value: Any, fields: Mapping[str, str], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: no object"
        return
    for name, item in value.items():
        if name not in fields:
            yield f"{where}.{name} is not published"
        elif item is not None or fields[name].endswith("!"):
            yield from _faults(item, fields[name], f"{where}.{name}")
    for name, kind in fields.items():
        if kind.endswith("!") and name not in value:
            yield f"{where}.{name} is required"


def _route(key: str, told: Mapping[str, Any]) -> Route:
    method, template = key.split(" ")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
    return Route(
        method,
        template,
        tuple(told.get("query", ())),
        tuple(told.get("headers", ())),
        told.get("body"),
        told.get("role", "Viewer"),
        told.get("needs", ""),
        re.compile(pattern),
    )
