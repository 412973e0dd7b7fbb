"""First drafts of manifests: a curated example, or what the schema requires, with the facts of a description."""

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from kmcp_kubernetes.drafts.images import has_tag
from kmcp_kubernetes.drafts.intent import Facts
from kmcp_kubernetes.openapi import Schema, path_parts
from kmcp_runtime import read_yaml

# Older names of some kinds, which callers still send; the plain kind works as well.
LEGACY: Mapping[str, str] = {
    "istio_auth_policy": "AuthorizationPolicy.security.istio.io",
    "istio_peer_authentication": "PeerAuthentication.security.istio.io",
    "istio_gateway": "Gateway.networking.istio.io",
    "istio_virtual_service": "VirtualService.networking.istio.io",
    "argo_rollout": "Rollout.argoproj.io",
    "argo_analysis_template": "AnalysisTemplate.argoproj.io",
    "gateway_api_gateway": "Gateway.gateway.networking.k8s.io",
    "gateway_api_gateway_class": "GatewayClass.gateway.networking.k8s.io",
    "gateway_api_http_route": "HTTPRoute.gateway.networking.k8s.io",
    "gateway_api_grpc_route": "GRPCRoute.gateway.networking.k8s.io",
    "gateway_api_reference_grant": "ReferenceGrant.gateway.networking.k8s.io",
}
Written = tuple[Sequence[str], Any]
"""A field's path and its value."""
# A schema may contain itself, as JSONSchemaProps does: a draft goes no deeper than this.
_DEEPEST = 8
_REQUIRED = "the schema requires it, but the description does not give it"
# None is a value in YAML, so what is left out needs a mark of its own.
_ABSENT = object()
_OF_THE_OBJECT = ("name", "namespace")
# The kind is already decided, and the API server ignores a status on creation.
_NOT_FOR_PAIRS = ("apiVersion", "kind", "status")


class Placeholder(BaseModel):
    """A value that somebody has to check."""

    path: str
    why: str


@dataclass(frozen=True)
class Gap:
    """A value that was made up, inside a draft."""

    value: Any
    why: str


@cache
def _book() -> Mapping[str, Any]:
    text = importlib.resources.files("kmcp_kubernetes.drafts").joinpath("skeletons.yaml").read_text()
    book: Mapping[str, Any] = read_yaml(text)
    return book


def known_skeletons(resource_type: str) -> list[str]:
    """The curated `Kind.group` that a resource type may mean: a legacy name, a kind, a plural, `plural.group`."""
    if resource_type in LEGACY:
        return [LEGACY[resource_type]]
    word, _, group = resource_type.lower().partition(".")
    # Rough plurals are enough: where a suffix does not fit, the word matches no curated kind.
    names = {word, word.removesuffix("s"), word.removesuffix("ies") + "y"}
    found = []
    for key in _book()["skeletons"]:
        kind, _, its_group = key.partition(".")
        if kind.lower() in names and group in ("", its_group):
            found.append(key)
    return found


def from_example(key: str, facts: Facts) -> Any | None:
    """The curated draft of `Kind.group`, or None when there is none."""
    skeleton = _book()["skeletons"].get(key)
    return None if skeleton is None else _filled(skeleton, {**facts, **_derived(facts)})


def from_schema(schema: Schema, api_version: str, kind: str, namespaced: bool, facts: Facts) -> Any:
    """What the schema requires, and the spec when there is one."""
    metadata = {"name": "$name", "labels": "$~given_labels", **({"namespace": "$~namespace"} if namespaced else {})}
    draft = {"apiVersion": api_version, "kind": kind, "metadata": _filled(metadata, {**facts, **_derived(facts)})}
    for name, field in schema.properties.items():
        if name not in ("apiVersion", "kind", "metadata", "status") and (name == "spec" or name in schema.required):
            draft[name] = _blank(name, field, facts, 0)
    return draft


def split_pairs(schema: Schema | None, pairs: Mapping[str, str]) -> tuple[list[Written], dict[str, str]]:
    """The pairs whose key is a field's path, or a field of the spec; and those that belong elsewhere."""
    fields: list[Written] = []
    left: dict[str, str] = {}
    for key, value in pairs.items():
        place = _place_of(key, schema)
        if place is None:
            left[key] = value
        else:
            fields.append((place[0], _typed(value, place[1])))
    return fields, left


def put(draft: Any, fields: Sequence[Written]) -> None:
    """Write fields into a draft; where the path goes through a list, into its first item."""
    for parts, value in fields:
        node = draft
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if isinstance(node, list):
                node = node[0]
        node[parts[-1]] = value


def settled(draft: Any) -> tuple[Any, list[Placeholder]]:
    """The draft as plain data, and the places of its made-up values."""
    placeholders: list[Placeholder] = []
    return _settled(draft, "", placeholders), placeholders


def faults(schema: Schema, content: Any, path: str = "") -> Iterator[str]:
    """Unknown and missing fields, for when the API server may not be asked."""
    if isinstance(content, list):
        for number, item in enumerate(content):
            yield from faults(schema.items or schema, item, f"{path}[{number}]")
        return
    fields = schema.properties
    if not isinstance(content, Mapping) or not fields:
        return
    for name in schema.required:
        if name not in content:
            yield f"{path}.{name} is required".lstrip(".")
    for name, item in content.items():
        if name not in fields:
            yield f"{path}.{name} is not a field".lstrip(".")
        else:
            yield from faults(fields[name], item, f"{path}.{name}")


def _derived(facts: Facts) -> Facts:
    """Mappings and lists for skeletons, and what is only half said as a gap."""
    pairs: Mapping[str, str] = facts.get("given_pairs") or {}
    # By convention a key in upper case is an environment variable; any other is a label.
    labels: Facts = {key: value for key, value in pairs.items() if not key.isupper()}
    name = facts.get("name")
    app: Facts = {"app": labels.get("app") or name or _gap("name")}
    made: Facts = {
        "app_label": app,
        "labels": {**labels, **app},
        "selector": labels or app,
        "pairs": dict(pairs) or {"key": Gap("value", "the description has no key=value")},
        "env": _variables({key: value for key, value in pairs.items() if key.isupper()} | facts.get("variables", {})),
        "given_labels": labels or None,
        "port_text": str(facts["port"]) if "port" in facts else None,
        "target_port": facts.get("target_port") or facts.get("port"),
        "pods": str(facts["replicas"]) if "replicas" in facts else None,
        **_ports(facts),
        **_amounts(facts),
        **_half_said(facts),
    }
    return {key: value for key, value in made.items() if value is not None}


def _variables(given: Mapping[str, str]) -> list[Facts] | None:
    return [{"name": key, "value": value} for key, value in given.items()] or None


def _ports(facts: Facts) -> Facts:
    """Ports of containers and Services; several of one Service need names."""
    several = facts.get("ports") or ()
    if several:
        return {
            "container_ports": [{"containerPort": port} for port in several],
            "service_ports": [{"name": f"port-{port}", "port": port, "targetPort": port} for port in several],
        }
    protocol, port = facts.get("protocol"), facts.get("port")
    target = facts.get("target_port") or port
    of_service = {
        "name": protocol.lower() if protocol else "http",
        "port": port or Gap(80, "no port in the description (port …)"),
        "targetPort": target or Gap(8080, "no target port in the description (port 80 to …)"),
        **({"protocol": protocol} if protocol else {}),
    }
    return {"container_ports": [{"containerPort": target}] if target else None, "service_ports": [of_service]}


def _amounts(facts: Facts) -> Facts:
    """Requests and limits: what is said of one alone is a guess for the other, since a limit may not be lower."""
    made: Facts = {}
    for resource in ("cpu", "memory"):
        both = facts.get(resource)
        request, limit = facts.get(f"{resource}_request", both), facts.get(f"{resource}_limit")
        # A CPU limit slows a program down, so it is set only when it is said.
        made[f"{resource}_limit"] = limit or (both if resource == "memory" else None)
        made[f"{resource}_request"] = request
        if request is None and limit:
            made[f"{resource}_request"] = Gap(limit, f"no {resource} request in the description: as its limit")
        elif request and resource == "memory" and made["memory_limit"] is None:
            made["memory_limit"] = Gap(request, "no memory limit in the description: as its request")
        made[resource] = both or made[f"{resource}_request"]
    return made


def _half_said(facts: Facts) -> Facts:
    image, guess = facts.get("image"), facts.get("schedule_guess")
    untagged = image is not None and not has_tag(image)
    return {
        "image": Gap(image, "no version in the description (nginx:1.27): any may come") if untagged else None,
        "schedule": Gap(facts["schedule"], guess) if guess else None,
    }


def _gap(fact: str) -> Gap:
    value, why = _book()["placeholders"][fact]
    return Gap(value, why)


def _filled(node: Any, facts: Facts) -> Any:
    if isinstance(node, str):
        return _value(node[1:], facts) if node.startswith("$") else node
    if isinstance(node, list):
        items = [_filled(item, facts) for item in node]
        kept = [item for item in items if item is not _ABSENT]
        return kept if kept or not node else _ABSENT
    if isinstance(node, Mapping):
        entries = {key: _filled(item, facts) for key, item in node.items()}
        kept_entries = {key: item for key, item in entries.items() if item is not _ABSENT}
        return kept_entries if kept_entries or not node else _ABSENT
    return node


def _value(expression: str, facts: Facts) -> Any:
    # `$name` leaves a gap when unknown, `$~name` leaves the field out, `$name=value` has a default that needs no
    # attention, `$name~=value` a guess.
    name, has_default, default = expression.removeprefix("~").partition("=")
    guessed, name = name.endswith("~"), name.removesuffix("~")
    if name in facts:
        return facts[name]
    if expression.startswith("~"):
        return _ABSENT
    if guessed:
        return Gap(read_yaml(default), f"no {name.replace('_', ' ')} in the description")
    return read_yaml(default) if has_default else _gap(name)


def _blank(name: str, schema: Schema, facts: Facts, depth: int) -> Any:
    """A value of this schema, with a gap wherever it had to be made up."""
    node = schema.resolved.node
    if name in facts and name not in _OF_THE_OBJECT and schema.type in ("string", "integer", "IntOrString"):
        return facts[name]
    # An empty default does not help: a required field needs a value.
    if "default" in node and node["default"] not in ({}, [], None, ""):
        return node["default"]
    if schema.properties and depth < _DEEPEST:
        wanted = {*schema.required, *(facts if depth == 0 else ())}
        fields = {key: item for key, item in schema.properties.items() if key in wanted}
        return {key: _blank(key, item, facts, depth + 1) for key, item in fields.items()}
    if schema.type.startswith("[]") and schema.items is not None:
        return [_blank(name, schema.items, facts, depth + 1)]
    return _made_up(schema, name)


def _made_up(schema: Schema, name: str) -> Any:
    if schema.enum:
        return Gap(schema.enum[0], f"{_REQUIRED}; one of {', '.join(map(str, schema.enum))}")
    kind = schema.resolved.node.get("type")
    if schema.is_map or kind == "object":
        return {}
    minimum = schema.resolved.node.get("minimum")
    values: dict[str, Any] = {
        "integer": int(minimum) if minimum else 1,
        "number": minimum or 1,
        "boolean": False,
        "array": [],
    }
    # 1 is valid as a port, a count and an amount alike.
    if schema.type in ("IntOrString", "Quantity"):
        return Gap(1, _REQUIRED)
    return Gap(values.get(str(kind), "example" if "name" in name.lower() else f"example-{name.lower()}"), _REQUIRED)


def _place_of(key: str, schema: Schema | None) -> tuple[list[str], Schema] | None:
    """Path and schema of the field that a pair's key names."""
    if schema is None:
        return None
    # People write `replicas=3` for spec.replicas.
    for parts in (path_parts(key), ["spec", *path_parts(key)]):
        field, missing = schema.at(parts)
        if not missing and parts[0] not in _NOT_FOR_PAIRS and not (field.properties or field.is_map):
            return parts, field
    return None


def _typed(value: str, schema: Schema) -> Any:
    if schema.type.startswith("[]"):
        return [_typed(part, schema.items or schema) for part in value.split(",")]
    if schema.type in ("integer", "number", "boolean", "IntOrString"):
        # YAML decides whether it is 80, true or "http".
        return read_yaml(value)
    return value


def _settled(node: Any, path: str, placeholders: list[Placeholder]) -> Any:
    if isinstance(node, Gap):
        placeholders.append(Placeholder(path=path, why=node.why))
        return node.value
    if isinstance(node, Mapping):
        return {key: _settled(item, f"{path}.{key}".lstrip("."), placeholders) for key, item in node.items()}
    if isinstance(node, list):
        return [_settled(item, f"{path}[{number}]", placeholders) for number, item in enumerate(node)]
    return node
