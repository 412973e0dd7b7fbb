"""Answers of Envoy's admin interface, one item for each object."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import parsed

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'\b(\w+)="((?:[^"\\]|\\.)*)"')
_LEVEL = re.compile(r"^\s+(\w+): (\w+)$")
_TYPE = re.compile(r"([A-Za-z]+)$")


class EnvoyItem(BaseModel):
    """One certificate, cluster, listener, resource, logger or metric."""

    kind: str | None = None
    name: str | None = None
    labels: dict[str, str] | None = None
    value: float | str | None = None
    content: Any = Field(default=None, description="Envoy's own object")


def items(resource: str, text: str) -> list[EnvoyItem]:
    """The items of an answer, read according to the requested resource."""
    if resource == "metrics":
        return list(_metrics(text.splitlines()))
    if resource == "logging":
        # The answer begins with a line "active loggers:".
        levels = filter(None, map(_LEVEL.match, text.splitlines()))
        return [EnvoyItem(name=level[1], value=level[2]) for level in levels]
    answer = parsed(text, f"cilium-dbg envoy admin {resource}")
    if resource == "config":
        return [item for config in answer.get("configs") or () for item in _config(config)]
    if resource == "clusters":
        return [_cluster(each) for each in answer.get("cluster_statuses") or ()]
    if resource == "listeners":
        found = answer.get("listener_statuses") or ()
        return [EnvoyItem(name=each.get("name"), content=_without(each, "name")) for each in found]
    if resource == "certs":
        return [EnvoyItem(content=each) for each in answer.get("certificates") or ()]
    return [EnvoyItem(name=name, content=content) for name, content in sorted(answer.items())]


def _metrics(lines: Iterable[str]) -> Iterator[EnvoyItem]:
    for line in lines:
        found = None if line.startswith("#") else _SAMPLE.match(line.strip())
        if found:
            # The exposition format escapes values as JSON does.
            labels = {name: json.loads(f'"{value}"') for name, value in _LABEL.findall(found["labels"] or "")}
            yield EnvoyItem(name=found["name"], labels=labels or None, value=_number(found["value"]))


def _number(text: str) -> float | str:
    """A number; infinities and NaN stay text, since JSON has no numbers for them."""
    return text if text.lower().lstrip("+-") in ("inf", "nan") else float(text)


def _config(config: Mapping[str, Any]) -> Iterator[EnvoyItem]:
    """The resources of a section of the dump, or the section itself where it has none."""
    kind = _kind(config)
    # dynamic_listeners, static_clusters …: the lists of a section are its resources.
    lists = {key: value for key, value in config.items() if isinstance(value, list) and value and key != "@type"}
    for key, resources in lists.items():
        for resource in resources:
            yield EnvoyItem(kind=key, name=_name(resource), content=resource)
    if not lists:
        yield EnvoyItem(kind=kind, name=_name(config), content=_without(config, "@type"))


def _kind(config: Mapping[str, Any]) -> str | None:
    found = _TYPE.search(str(config.get("@type", "")))
    return found[1] if found else None


def _name(resource: Any) -> str | None:
    """The name of a resource, which may be one or two objects further in."""
    if not isinstance(resource, Mapping):
        return None
    for key in ("name", "cluster_name", "endpoint_config_name"):
        if isinstance(resource.get(key), str):
            return str(resource[key])
    inner = (_name(value) for value in resource.values() if isinstance(value, Mapping))
    return next((name for name in inner if name), None)


def _cluster(each: Mapping[str, Any]) -> EnvoyItem:
    hosts = [
        {"address": _address(host.get("address") or {}), "health": (host.get("health_status") or {})}
        for host in each.get("host_statuses") or ()
    ]
    # Circuit breakers repeat their defaults for every cluster.
    rest = _without(each, "name", "host_statuses", "circuit_breakers")
    return EnvoyItem(name=each.get("name"), content={**rest, "hosts": hosts})


def _address(address: Mapping[str, Any]) -> str:
    socket = address.get("socket_address")
    if socket:
        return f"{socket.get('address')}:{socket.get('port_value')}"
    return str((address.get("pipe") or {}).get("path", ""))


def _without(each: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in each.items() if key not in names}
