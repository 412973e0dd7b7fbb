"""Rules with what is known of every call asked first, so that more of them are decided while the rest is open. Pure.

Cedar stops at a part that is not known and never looks at what stands behind it: `resource.name like "a*" && false` is
open for it. Of parts that must all hold, those about the resource and the arguments go last; the others keep their
order.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

Body = Mapping[str, Any]


def reordered(policies: Mapping[str, Any]) -> dict[str, Any]:
    """Of a policy in Cedar's JSON form. It decides every call as before."""
    static = {name: _rule(rule) for name, rule in policies["staticPolicies"].items()}
    return {**policies, "staticPolicies": static}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    parts = sorted(parts_of(rule["conditions"]), key=_may_be_open)  # stable
    if not parts:
        return dict(rule)
    body = reduce(lambda left, right: {"&&": {"left": left, "right": right}}, parts)
    return {**rule, "conditions": [{"kind": "when", "body": body}]}


def parts_of(conditions: Iterable[Mapping[str, Any]]) -> Iterator[Body]:
    """What must hold, each by itself, in the order in which Cedar evaluates it."""
    for condition in conditions:
        if condition["kind"] == "unless":
            yield {"!": {"arg": condition["body"]}}
        else:
            yield from _conjuncts(condition["body"])


def _conjuncts(body: Body) -> Iterator[Body]:
    if set(body) == {"&&"}:
        yield from _conjuncts(body["&&"]["left"])
        yield from _conjuncts(body["&&"]["right"])
    else:
        yield body


def _may_be_open(node: Any) -> bool:
    if isinstance(node, Mapping):
        if node.get("Var") == "resource" or node.get("attr") == "arguments":
            return True
        return any(map(_may_be_open, node.values()))
    return isinstance(node, list) and any(map(_may_be_open, node))
