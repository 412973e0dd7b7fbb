"""Labels and selectors in one readable form, `k8s:app=web`, whichever way an agent writes them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_OWN = ("k8s:io.cilium.k8s.", "k8s:io.kubernetes.pod.namespace=")
"""Prefixes of labels that Cilium adds to every endpoint; their values are shown in other fields."""
_DERIVED = "io.cilium.k8s.policy."
# Some commands print selectors with %v instead of as JSON.
_GO = re.compile(
    r"&LabelSelector\{MatchLabels:map\[string\]string\{(?P<labels>.*?),?\},MatchExpressions:(?P<rest>.*)\}$"
)
_NO_EXPRESSIONS = re.compile(r"\[\]LabelSelectorRequirement\{\},?")
_NAME = re.compile(r"MatchName: (?P<name>\S*), MatchPattern:\s*(?P<pattern>\S*)")
_FIELDS = frozenset({"matchLabels", "matchExpressions", "matchName", "matchPattern"})
_SOURCES = ("any", "k8s", "cidr", "reserved", "fqdn", "container", "unspec", "node")


def matching(labels: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether all wanted labels are present; one without a source (`app=web`) matches any source."""
    present = set(labels)
    present |= {label.partition(":")[2] for label in present}
    return all(label in present for label in wanted)


def of_its_own(labels: Iterable[str]) -> list[str]:
    """Labels, sorted, without those that Cilium adds to every endpoint."""
    return sorted(label for label in labels if not label.startswith(_OWN))


def written(label: Mapping[str, Any]) -> str:
    """`{source, key, value}` as `source:key=value`."""
    value = f"={label['value']}" if label.get("value") else ""
    source = f"{label['source']}:" if label.get("source") else ""
    return f"{source}{label.get('key', '')}{value}"


def policy_of(labels: Iterable[str]) -> str | None:
    """The policy in the labels of a rule: `CiliumNetworkPolicy namespace/name`."""
    # Rules carry the object that they come from in labels io.cilium.k8s.policy.*.
    origin = {}
    for label in labels:
        key, _, value = label.partition("=")
        _, found, name = key.partition(_DERIVED)
        if found:
            origin[name] = value
    if "name" not in origin:
        return None
    return f"{origin.get('derived-from', 'policy')} {'/'.join(filter(None, (origin.get('namespace'), origin['name'])))}"


def selector(given: Any) -> str:
    """A selector on one line: labels (`any:app=web,k8s:tier in (a,b)`) or a name; `*` selects everything.

    One that is absent selects nothing; one of another form stands as the agent writes it.
    """
    if isinstance(given, str):
        return _from_go(given)
    if given is None:
        return "nothing"
    if not isinstance(given, Mapping) or not given.keys() <= _FIELDS:
        return json.dumps(given, ensure_ascii=False, sort_keys=True)
    if "matchName" in given or "matchPattern" in given:
        return str(given.get("matchName") or given.get("matchPattern"))
    terms = [f"{_key(key)}={value}" for key, value in sorted((given.get("matchLabels") or {}).items())]
    terms += [_expression(each) for each in given.get("matchExpressions") or ()]
    return ",".join(terms) or "*"


def _expression(each: Mapping[str, Any]) -> str:
    key, operator = _key(each["key"]), each["operator"]
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    word = {"In": "in", "NotIn": "notin"}.get(operator, operator)
    return f"{key} {word} ({','.join(each.get('values') or ())})"


def _key(key: str) -> str:
    """`any:app` for `any.app`."""
    # Selectors of Kubernetes allow no colon in a key, so Cilium writes the source with a dot.
    source, dot, rest = key.partition(".")
    return f"{source}:{rest}" if dot and source in _SOURCES else key


def _from_go(text: str) -> str:
    """A selector in Go's print format; any other text stays as it is."""
    name = _NAME.fullmatch(text.strip())
    if name:
        return name["name"] or name["pattern"]
    found = _GO.match(text)
    if not found or not _NO_EXPRESSIONS.fullmatch(found["rest"]):
        return text
    pairs = (pair.partition(": ") for pair in found["labels"].split(",") if pair)
    return ",".join(f"{_key(key)}={value}" for key, _, value in pairs) or "*"
