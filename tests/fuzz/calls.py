"""Calls of every tool: arguments that its own input schema allows, those that name something mostly what is there."""

from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from kmcp_runtime import ToolSpec
from tests.cilium.examples import EXAMPLES
from tests.fuzz.cluster_standin import PLURALS
from tests.fuzz.schemas import values_of
from tests.grafana.every_action import cases as grafana_cases
from tests.grafana.standin import StandIn
from tests.grafana.world import populated
from tests.hostile import HOSTILE_LINES

_NAMES = ("web", "default", "web-2", "absent")
_LIKELY: dict[str, tuple[Any, ...]] = {
    "resource_type": PLURALS,
    "namespace": ("default", "kube-system", None),
    "selector": ("app=web", "app in (web)", "!x", "a==b,c!=d"),
    "query": (
        "up",
        'sum by (job) (rate(up{job="web"}[5m]))',
        "histogram_quantile(0.9, x)",
        "web",
        "how do I roll back",
    ),
    "match": ("up", '{job="web"}', "web"),
    "uid": ("web",),
    "url": ("https://example.com/x.yaml", "http://10.0.0.1/"),
    "node_name": ("node-1", None),
    "chart": ("web", "stable/web"),
    "path": ("/", "/healthz", "/spec/containers"),
    "cidr": ("10.0.0.0/8",),
    "cidr_prefixes": (["10.0.0.0/8"],),
    "endpoint_id": ("1", "web"),
    "labels": ({"app": "web"}, ["app=web"]),
    "values": ({"replicas": 2}, "replicas: 2\n"),
    "patch": ({"spec": {"replicas": 3}}, [{"op": "replace", "path": "/spec/replicas", "value": 3}]),
    "manifest": ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: web}\n",),
    "start": ("now-1h", "2026-11-01T00:00:00Z"),
    "end": ("now",),
    "timezone": ("Europe/Berlin",),
}
_SECONDS = ("timeout_seconds",)


def arguments_of(declared: ToolSpec) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a call."""
    schema = declared.input_schema()
    properties = {name: each for name, each in schema["properties"].items() if name != "approval"}
    drawn = values_of({**schema, "properties": properties})
    return st.builds(_likelier, drawn, st.integers(0, 2**32), st.just(schema), st.just(_usual(declared.name)))


@cache
def _usual(tool: str) -> list[dict[str, Any]]:
    """Calls of the tool that other tests make."""
    if tool in EXAMPLES:
        return EXAMPLES[tool].calls({"{ns}": "default", "{web}": "10.0.0.1:80"})
    actions = grafana_cases(populated(StandIn().state)) if tool.startswith("grafana") else ()
    return [{"action": case.action, **case.arguments} for case in actions if case.tool == tool]


def calls_like_others(declared: ToolSpec) -> list[dict[str, Any]]:
    """Calls that other tests make, and one with likely values; at least one."""
    return [*(dict(call) for call in _usual(declared.name)), usual_arguments(declared)]


def usual_arguments(declared: ToolSpec) -> dict[str, Any]:
    """A likely value for each argument that the tool needs; always the same."""
    schema = declared.input_schema()
    properties = {name: schema["properties"][name] for name in schema.get("required", ())}
    return {name: _usual_value(name, each) for name, each in properties.items()}


def _usual_value(name: str, schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if name in _LIKELY:
        return _LIKELY[name][0]
    simple = {"integer": 1, "number": 1, "boolean": False, "array": ["web"], "object": {}}
    return simple.get(schema.get("type", "string"), _NAMES[0])


def _likelier(drawn: dict[str, Any], seed: int, schema: dict[str, Any], usual: list[dict[str, Any]]) -> dict[str, Any]:
    random = Random(seed)
    given = {name: _chosen(name, value, schema["properties"].get(name, {}), random) for name, value in drawn.items()}
    if usual and random.random() < 0.7:
        given = {**random.choice(usual)}
    for name in schema["properties"]:
        if name in ("name", "resource_name", "query") and name not in given and random.random() < 0.5:
            given[name] = _LIKELY.get(name, _NAMES)[0]
    # Nothing here ends by itself: whoever waits would wait for the whole time.
    given |= {name: 1 for name in _SECONDS if name in schema["properties"]}
    return {name: value for name, value in given.items() if value is not None}


def _chosen(name: str, value: Any, schema: dict[str, Any], random: Random) -> Any:
    draw = random.random()
    if name in _LIKELY and draw < 0.9:
        return random.choice(_LIKELY[name])
    if not isinstance(value, str) or "enum" in schema or "const" in schema:
        return value
    if draw < 0.85:
        return random.choice(_NAMES)
    return random.choice(HOSTILE_LINES) if draw < 0.92 else value
