"""Network policies as objects: listing them, whether they are valid, and which endpoints they select."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from kmcp_cilium.client import Cilium
from kmcp_cilium.state.fields import part
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.looks import Looked

PolicyKind = Literal["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "NetworkPolicy"]
RESOURCES: Mapping[str, str] = {
    "CiliumNetworkPolicy": "ciliumnetworkpolicies.cilium.io",
    "CiliumClusterwideNetworkPolicy": "ciliumclusterwidenetworkpolicies.cilium.io",
    "NetworkPolicy": "networkpolicies.networking.k8s.io",
}
CUSTOM: tuple[PolicyKind, ...] = ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
NAMESPACE_LABEL = "k8s:io.kubernetes.pod.namespace"
_PAGE = 500


async def list_objects(
    cilium: Cilium, kind: Kind, namespace: str | None, selector: str | None = None
) -> Looked[dict[str, Any]]:
    """Every object of a kind, page by page."""
    query = pages.Query(kind, namespace, selector, limit=_PAGE, form="objects")
    return await pages.fetch_all(cilium.api, query)


async def list_custom(cilium: Cilium, resource_type: str) -> list[dict[str, Any]]:
    """Every object of a custom resource; none where the resource is not installed."""
    try:
        kind = await cilium.discovery.resolve(resource_type)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return []
    return await list_objects(cilium, kind, None)


def invalid_because(policy: Mapping[str, Any]) -> str | None:
    """The message of a policy's condition Valid=False; None when it is valid or was not checked."""
    for condition in part(policy, "status").get("conditions") or ():
        if condition.get("type") == "Valid" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "not valid")
    return None


def affected(kind: str, policy: Mapping[str, Any], endpoints: Iterable[Mapping[str, Any]]) -> int:
    """How many endpoints a policy selects, by the labels of their identities."""
    namespace = policy["metadata"].get("namespace")
    # A Cilium policy has one spec or a list of them.
    specs = [part(policy, "spec"), *(policy.get("specs") or ())]
    selectors = [spec.get("podSelector" if kind == "NetworkPolicy" else "endpointSelector") for spec in specs]
    labels = [_labels(part(each, "status", "identity").get("labels") or ()) for each in endpoints]
    # A policy selects endpoints of its own namespace; a cluster-wide one those of all.
    inside = [each for each in labels if namespace is None or each.get(NAMESPACE_LABEL) == namespace]
    return sum(1 for each in inside if any(selector is not None and selects(selector, each) for selector in selectors))


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; a key without a source (`app` instead of `k8s:app`) matches any source."""
    matched = all(_value(labels, key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return matched and all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = _value(labels, expression["key"])
    operator, values = expression["operator"], expression.get("values") or ()
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) is (operator == "Exists")
    return (value in values) is (operator == "In")


def _value(labels: Mapping[str, str], key: str) -> str | None:
    source, colon, name = key.partition(":")
    if colon and source != "any":
        return labels.get(key)
    wanted = name if colon else key
    return next((value for label, value in labels.items() if label.partition(":")[2] == wanted), None)


def _labels(labels: Iterable[str]) -> dict[str, str]:
    """Labels `source:key=value` as a map of `source:key` to value."""
    pairs = (label.partition("=") for label in labels)
    return {key: value for key, _, value in pairs}
