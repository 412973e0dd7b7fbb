"""What a pod needs from a node: selectors, affinities, tolerations, spreading."""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, pairs
from kmcp_runtime.kube.selectors import selector_of

Spec = Mapping[str, Any]
_STRENGTHS = (
    ("requiredDuringSchedulingIgnoredDuringExecution", "must"),
    ("preferredDuringSchedulingIgnoredDuringExecution", "should"),
)
_SIGNS = {"In": "in", "NotIn": "not in", "Gt": ">", "Lt": "<"}


def needs_of_nodes(spec: Spec) -> Detail:
    """The fields of a pod's spec that decide about its node, in words; empty ones are for the caller to leave out."""
    return {
        "pod_requests": pairs((spec.get("resources") or {}).get("requests")),
        "pod_limits": pairs((spec.get("resources") or {}).get("limits")),
        "overhead": pairs(spec.get("overhead")),
        "node_selector": pairs(spec.get("nodeSelector")),
        "affinity": list(_affinity(spec.get("affinity") or {})),
        "topology_spread": [_spread(each) for each in spec.get("topologySpreadConstraints") or ()],
        "tolerations": [_toleration(each) for each in spec.get("tolerations") or ()],
        "priority_class": spec.get("priorityClassName"),
        "priority": spec.get("priority") or None,
        "runtime_class": spec.get("runtimeClassName"),
        # The scheduler that everybody has is not worth a word.
        "scheduler": None if spec.get("schedulerName") == "default-scheduler" else spec.get("schedulerName"),
    }


def _affinity(affinity: Spec) -> Iterator[str]:
    nodes = affinity.get("nodeAffinity") or {}
    for key, word in _STRENGTHS:
        found = nodes.get(key) or ()
        # The required terms are alternatives in one object, the preferred ones a list with weights.
        terms = found.get("nodeSelectorTerms") or () if isinstance(found, Mapping) else found
        lines = [(_term(each.get("preference") or each), each.get("weight")) for each in terms]
        if word == "must" and lines:
            yield f"must be on a node with {' or '.join(term for term, _ in lines)}"
        else:
            yield from (f"should be on a node with {term} (weight {weight})" for term, weight in lines)
    for kind, near in (("podAffinity", "with"), ("podAntiAffinity", "apart from")):
        for key, word in _STRENGTHS:
            for each in (affinity.get(kind) or {}).get(key) or ():
                yield f"{word} be {near} {_pods(each.get('podAffinityTerm') or each)}{_weight(each)}"


def _weight(each: Spec) -> str:
    return f" (weight {each['weight']})" if "weight" in each else ""


def _term(term: Spec) -> str:
    return " and ".join(
        _expression(each) for each in (*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ()))
    )


def _expression(each: Spec) -> str:
    operator, values = str(each.get("operator")), each.get("values") or ()
    if operator in ("Exists", "DoesNotExist"):
        return f"{each['key']}" if operator == "Exists" else f"no {each['key']}"
    return f"{each['key']} {_SIGNS.get(operator, operator)} {', '.join(map(str, values))}"


def _pods(term: Spec) -> str:
    chosen = selector_of({"selector": term.get("labelSelector") or {}}) or "any"
    spaces = f" of namespaces {', '.join(term['namespaces'])}" if term.get("namespaces") else ""
    return f"pods {chosen}{spaces} by {term.get('topologyKey')}"


def _spread(each: Spec) -> str:
    chosen = selector_of({"selector": each.get("labelSelector") or {}}) or "any"
    return (
        f"pods {chosen} by {each.get('topologyKey')}, skew {each.get('maxSkew')}, else {each.get('whenUnsatisfiable')}"
    )


def _toleration(each: Spec) -> str:
    value = f"={each['value']}" if each.get("value") else ""
    effect = f":{each['effect']}" if each.get("effect") else ""
    exists = f" op={each['operator']}" if each.get("operator") and not value else ""
    seconds = f" for {each['tolerationSeconds']}s" if "tolerationSeconds" in each else ""
    return f"{each.get('key', '')}{value}{effect}{exists}{seconds}".strip()
