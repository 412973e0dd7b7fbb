"""Labels and selectors in one legible form: `k8s:app=web`, however an agent writes them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_OWN = ("k8s:io.cilium.k8s.", "k8s:io.kubernetes.pod.namespace=")
"""Labels that Cilium adds to every endpoint; namespace and policy are shown as fields of their own."""
_DERIVED = "io.cilium.k8s.policy."
_GO = re.compile(
    r"&LabelSelector\{MatchLabels:map\[string\]string\{(?P<labels>.*?),?\},MatchExpressions:(?P<rest>.*)\}$"
)
_NO_EXPRESSIONS = re.compile(r"\[\]LabelSelectorRequirement\{\},?")
_NAME = re.compile(r"MatchName: (?P<name>\S*), MatchPattern:\s*(?P<pattern>\S*)")
_SOURCES = ("any", "k8s", "cidr", "reserved", "fqdn", "container", "unspec", "node")


def matching(labels: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether every wanted label is there; one without a source (`app=web`) means any source."""
    there = set(labels)
    there |= {label.partition(":")[2] for label in there}
    return all(label in there for label in wanted)


def of_its_own(labels: Iterable[str]) -> list[str]:
    """Labels without those that Cilium adds to every endpoint."""
    return sorted(label for label in labels if not label.startswith(_OWN))


def written(label: Mapping[str, Any]) -> str:
    """`{source, key, value}` as `source:key=value`."""
    value = f"={label['value']}" if label.get("value") else ""
    source = f"{label['source']}:" if label.get("source") else ""
    return f"{source}{label.get('key', '')}{value}"


def policy_of(labels: Iterable[str]) -> str | None:
    """The object that a rule comes from, by the labels of the rule: `CiliumNetworkPolicy namespace/name`."""
    told = {}
    for label in labels:
        key, _, value = label.partition("=")
        _, found, name = key.partition(_DERIVED)
        if found:
            told[name] = value
    if "name" not in told:
        return None
    return f"{told.get('derived-from', 'policy')} {'/'.join(filter(None, (told.get('namespace'), told['name'])))}"


def selector(given: Any) -> str:
    """A selector of labels, a name, a range, in a line: `any:app=web,k8s:tier in (a,b)`; `*` selects everything."""
    if isinstance(given, str):
        return _from_go(given)
    if not isinstance(given, Mapping):
        return "*"
    if "matchName" in given or "matchPattern" in given:
        return str(given.get("matchName") or given.get("matchPattern"))
    if "cidr" in given:
        return str(given["cidr"])
    terms = [f"{_key(key)}={value}" for key, value in sorted((given.get("matchLabels") or {}).items())]
    terms += [_expression(each) for each in given.get("matchExpressions") or ()]
    return ",".join(terms) or "*"


def _expression(each: Mapping[str, Any]) -> str:
    key, operator = _key(each["key"]), each["operator"]
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    return f"{key} {'in' if operator == 'In' else 'notin'} ({','.join(each.get('values') or ())})"


def _key(key: str) -> str:
    """`any.app` is `any:app`: a colon cannot stand in a Kubernetes selector."""
    source, dot, rest = key.partition(".")
    return f"{source}:{rest}" if dot and source in _SOURCES else key


def _from_go(text: str) -> str:
    """A selector as Go prints it; what is not understood stays as it is."""
    name = _NAME.fullmatch(text.strip())
    if name:
        return name["name"] or name["pattern"]
    found = _GO.match(text)
    if not found or not _NO_EXPRESSIONS.fullmatch(found["rest"]):
        return text
    pairs = (pair.partition(": ") for pair in found["labels"].split(",") if pair)
    return ",".join(f"{_key(key)}={value}" for key, _, value in pairs) or "*"
