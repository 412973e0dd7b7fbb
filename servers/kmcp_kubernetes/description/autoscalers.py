"""Autoscalers: each metric with its type, its target, and its value or that nobody knows it."""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Facts, Look, autoscaling, without_none
from kmcp_runtime import ToolFailure

Metric = Mapping[str, Any]
_UNKNOWN = "unknown"


async def describe_autoscaler(look: Look) -> Facts:
    spec, status = look.spec, look.status
    target = spec.get("scaleTargetRef") or {}
    details = without_none(
        {
            "target": f"{target.get('kind')}/{target.get('name')}",
            "replicas": autoscaling(look.found),
            "metrics": list(_metrics(look.found)),
            "last_scaled": status.get("lastScaleTime"),
            "behavior": spec.get("behavior"),
        }
    )
    return Facts(
        details, [{"kind": target.get("kind"), "name": target.get("name"), "state": await _state(look, target)}]
    )


async def _state(look: Look, target: Metric) -> str:
    """Whether the target is there: an autoscaler outlives what it scaled."""
    group = str(target.get("apiVersion") or "").rpartition("/")[0]
    kind = f"{target.get('kind')}.{group}" if group else str(target.get("kind"))
    try:
        absent = await look.state_of(kind.lower(), str(target.get("name")))
    except ToolFailure as failure:  # The cluster has no such kind.
        return f"unknown: {failure.message}"
    return absent or "scaled by this"


def _metrics(found: Mapping[str, Any]) -> Iterator[str]:
    """`Resource cpu: unknown of 80%`, as `kubectl describe` shows them."""
    known = {_name(each): each for each in (found.get("status") or {}).get("currentMetrics") or () if each.get("type")}
    for each in (found.get("spec") or {}).get("metrics") or ():
        kind, body = str(each.get("type")), _body(each)
        current = _body(known.get(_name(each)) or {}).get("current") or {}
        yield f"{kind} {_name(each)}: {_value(body.get('target') or {}, current)}"


def _body(metric: Metric) -> Mapping[str, Any]:
    kind = str(metric.get("type") or "")
    return metric.get(kind[:1].lower() + kind[1:]) or {}


def _name(metric: Metric) -> str:
    body = _body(metric)
    of_object = body.get("describedObject") or {}
    name = body.get("name") or (body.get("metric") or {}).get("name") or ""
    inside = f" of container {body['container']}" if body.get("container") else ""
    return f"{name}{inside}" + (f" of {of_object.get('kind')}/{of_object.get('name')}" if of_object else "")


def _value(target: Metric, current: Metric) -> str:
    """What it is and should be, by the type of the target."""
    if target.get("type") == "Utilization" or "averageUtilization" in target:
        now = current.get("averageUtilization")
        average = f" ({current['averageValue']})" if now is not None and current.get("averageValue") else ""
        return (
            f"{_UNKNOWN if now is None else f'{now}%'}{average} of {target.get('averageUtilization')}% of the request"
        )
    key, words = ("averageValue", " on average") if "averageValue" in target else ("value", "")
    return f"{current.get(key, _UNKNOWN)} of {target.get(key)}{words}"
