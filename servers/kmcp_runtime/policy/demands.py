"""What a rule's conditions demand of effect and namespace, so that a rule that cannot hold need not be evaluated. Pure.

A rule is passed over only where its conditions are false: a part in front that may fail, as one that reads an argument
which the call lacks, must be evaluated, because the failure of a rule is a denial.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.catalog import Effect
from kmcp_runtime.judging import PARTS
from kmcp_runtime.policy.reordering import Body, parts_of

_ALWAYS = {
    "resource": frozenset(PARTS),
    "context": frozenset({"effect", "dry_run", "approval", "time", "hour", "weekday"}),
    "principal": frozenset({"subject", "groups", "issuer", "agent", "authenticated", "effects"}),
}
"""Attributes that every question has, with values of the types that Cedar's schema of the suite gives them."""
_FACTS = {("context", "effect"): "effects", ("resource", "namespace"): "namespaces"}
_SWITCHES = frozenset({("principal", "authenticated"), ("context", "dry_run")})
_COMPARING = ("==", "!=", "contains")
_PLACE = {".": {"left": {"Var": "resource"}, "attr": "namespace"}}
_EFFECTS = frozenset(effect.value for effect in Effect)


@dataclass(frozen=True)
class Demands:
    """Values of which one must be there; None where any may be."""

    effects: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None

    def can_hold(self, effect: str, namespace: str | None) -> bool:
        """Whether the rule may hold; a namespace that is not known may be any."""
        return (self.effects is None or effect in self.effects) and (
            self.namespaces is None or namespace is None or namespace in self.namespaces
        )


def demands(conditions: Iterable[Mapping[str, Any]]) -> Demands:
    """Of the conditions of a rule in Cedar's JSON form."""
    found: dict[str, frozenset[str]] = {}
    for part in parts_of(conditions):
        if fact := _fact(part):
            name, values = fact
            found[name] = found.get(name, values) & values
        elif not _never_fails(part):
            break
    return Demands(**found)


def namespaces_in(node: Any) -> tuple[str, ...]:
    """Every text that conditions compare the namespace of the resource with, anywhere in them; each once."""
    return tuple(dict.fromkeys(_namespaces_in(node)))


def _namespaces_in(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for operator, operands in node.items():
            if operator in _COMPARING and _PLACE in (parts := [operands[side] for side in ("left", "right")]):
                texts = [each for part in parts for each in (part, *part.get("Set", ()))]
                yield from (each["Value"] for each in texts if isinstance(each.get("Value"), str))
            else:
                yield from _namespaces_in(operands)
    elif isinstance(node, list):
        for each in node:
            yield from _namespaces_in(each)


def _fact(body: Body) -> tuple[str, frozenset[str]] | None:
    """The name of what the part decides by, and its values for which the part holds."""
    ((operator, operands),) = body.items()
    if operator == "||":
        one, other = _fact(operands["left"]), _fact(operands["right"])
        return (one[0], one[1] | other[1]) if one and other and one[0] == other[0] else None
    if operator not in _COMPARING:
        return None
    left, right = operands["left"], operands["right"]
    if operator != "contains" and "Value" in left:
        left, right = right, left
    asked, among = (right, left.get("Set")) if operator == "contains" else (left, [right])
    name = _FACTS.get(_attribute(asked) or ("", ""))
    values = _values(among) if name and isinstance(among, list) else None
    if name is None or values is None:
        return None
    if operator == "!=":
        return (name, _EFFECTS - values) if name == "effects" else None
    return name, values


def _values(among: Iterable[Body]) -> frozenset[str] | None:
    found = [_value(each.get("Value")) for each in among]
    return None if None in found else frozenset(each for each in found if each is not None)


def _value(value: Any) -> str | None:
    if isinstance(value, Mapping) and value.get("__entity", {}).get("type") == "Effect":
        return str(value["__entity"]["id"])
    return value if isinstance(value, str) else None


def _attribute(body: Body) -> tuple[str, str] | None:
    """Of which variable it is which attribute, where the question always has that."""
    if (read := body.get(".")) is None:
        return None
    variable, name = str(read["left"].get("Var")), str(read["attr"])
    return (variable, name) if name in _ALWAYS.get(variable, ()) else None


def _never_fails(body: Body) -> bool:
    """Whether the part is true or false, or not known, whatever is asked."""
    ((operator, operands),) = body.items()
    if operator in ("&&", "||"):
        return _never_fails(operands["left"]) and _never_fails(operands["right"])
    if operator == "!":
        return _never_fails(operands["arg"])
    if operator in ("==", "!="):
        return _is_there(operands["left"]) and _is_there(operands["right"])
    if operator == "like":
        return (_attribute(operands["left"]) or ("", ""))[0] == "resource"
    if operator == "contains":
        left = operands["left"]
        is_set = "Set" in left or _attribute(left) in (("principal", "groups"), ("principal", "effects"))
        return is_set and all(map(_is_there, (*left.get("Set", ()), operands["right"])))
    return _attribute(body) in _SWITCHES or isinstance(body.get("Value"), bool)


def _is_there(body: Body) -> bool:
    return "Value" in body or _attribute(body) is not None
