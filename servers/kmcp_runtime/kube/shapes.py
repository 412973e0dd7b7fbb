"""What the API server promises of its answers, whatever the kind: checked on arrival, and when reading one fails."""

from typing import Any

from kmcp_runtime.answers import Fields, misshapen
from kmcp_runtime.errors import unavailable
from kmcp_runtime.kube.parts import group_of, is_custom

_FIELDS = Fields(
    objects="metadata spec template annotations nodeInfo requests usage capacity allocatable matchLabels "
    "involvedObject regarding roleRef waiting terminated running lastState rollingUpdate canary loadBalancer "
    "valueFrom parentRef scaleTargetRef securityContext updateStrategy",
    lists="items rows containers initContainers ephemeralContainers containerStatuses initContainerStatuses "
    "env envFrom volumes volumeMounts ownerReferences managedFields taints tolerations subjects subsets "
    "listeners parentRefs parents pauseConditions metricResults measurements podIPs matchExpressions resourceRules "
    "columnDefinitions causes",
    texts="name namespace resourceVersion creationTimestamp deletionTimestamp lastTransitionTime lastTimestamp "
    "firstTimestamp eventTime lastObservedTime startTime startedAt finishedAt kind apiVersion phase reason "
    "message note image imageID nodeName podIP hostIP clusterIP serviceAccountName gitVersion continue "
    "serverRelativeURL cpu memory stableRS currentPodHash operator key effect qosClass",
    # No observedGeneration: that of a Rollout is a text.
    numbers="generation replicas readyReplicas availableReplicas updatedReplicas restartCount "
    "exitCode count containerPort nodePort weight setWeight desiredNumberScheduled numberReady currentStepIndex "
    "number remainingItemCount",
    # The same names stand for objects in the custom resources of others.
    either="conditions endpoints groups http labels metrics paths ports rules servers steps",
    opaque="openAPIV3Schema fieldsV1",
    needed={
        "containers": "name",
        "initContainers": "name",
        "containerStatuses": "name",
        "initContainerStatuses": "name",
        "conditions": "type status",
        "volumes": "name",
        "env": "name",
        "ownerReferences": "kind name uid",
        "subjects": "kind",
        "rows": "cells",
        "columnDefinitions": "name",
        "listeners": "name",
    },
)
_NAMED = ("spec", "status", "data", "rules", "subjects")
"""Fields that only an object has which is stored, and so has a name."""

_KNOWN_GROUPS = (".istio.io", "argoproj.io", "cilium.io")
_SPECIFIED = frozenset(
    [
        "Pod",
        "Node",
        "Service",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Rollout",
        "Gateway",
        "HTTPRoute",
    ]
)
_PARTS = {"Table": ("rows", "columnDefinitions"), "APIGroupList": ("groups",), "APIResourceList": ("resources",)}
_WITHOUT_KIND = ("gitVersion", "paths", "components")
"""What stands in the answers of `/version` and `/openapi`, which are no objects."""


def check(answer: Any, path: str) -> dict[str, Any]:
    """The answer, which is an object, or a list of objects that have metadata; `unavailable` where it is not."""
    fault = _fault_of_envelope(answer)
    if fault:
        raise unavailable(
            f"the server answered {path} with something that is not of the Kubernetes API: {fault}",
            "check that this address is a Kubernetes API server",
            backend="kube-apiserver",
        )
    found: dict[str, Any] = answer
    return found


def _fault_of_envelope(answer: Any) -> str | None:
    if not isinstance(answer, dict):
        return "it is not an object"
    if not isinstance(answer.get("metadata"), dict | None):
        return "metadata is not an object"
    for name in ("items", "rows"):
        parts = answer.get(name)
        if parts is not None and not (isinstance(parts, list) and all(isinstance(part, dict) for part in parts)):
            return f"{name} is not a list of objects"
    if any(not isinstance(part.get("metadata"), dict | None) for part in answer.get("items") or ()):
        return "the metadata of an item is not an object"
    return None


def broken(answer: Any, error: Exception) -> str | None:
    """What of an answer is not as the API promises, in words; asked when reading it has failed."""
    # A schema has properties by the names that the table is about, and a kind of others any fields at all.
    free = "components" in answer or _is_foreign(answer)
    return None if free else misshapen(answer, _FIELDS) or _without_place(answer)


def _is_foreign(answer: dict[str, Any]) -> bool:
    """Whether it is of a kind of which this suite knows no fields beyond those that every object has."""
    return is_custom(answer) and not group_of(answer).endswith(_KNOWN_GROUPS)


def _without_place(answer: dict[str, Any]) -> str | None:
    if not {"kind", *_WITHOUT_KIND} & set(answer):
        return "it has no kind"
    kind = str(answer.get("kind") or "")
    items = answer.get("items")
    for name in _PARTS.get(kind, ("items",) if kind.endswith("List") else ()):
        if name not in answer:  # An empty one is null.
            return f"the {kind} has no {name}"
    if isinstance(items, list):
        return next(
            (fault for fault in (_incomplete(found, kind.removesuffix("List")) for found in items) if fault), None
        )
    return _incomplete(answer, kind)


def _incomplete(found: dict[str, Any], kind: str) -> str | None:
    metadata = found.get("metadata") or {}
    if any(name in found for name in _NAMED) and not metadata.get("name") and not kind.endswith("Review"):
        return f"an object of kind {kind} has no name"
    if kind.endswith("Review") and not found.get("status"):
        return f"the {kind} has no status"
    if kind in _SPECIFIED and not found.get("spec"):
        return f"{kind} {metadata.get('name')} has no spec"
    for name in ("uid",) if kind == "Node" else ("uid", "namespace"):
        if kind in _SPECIFIED and not (metadata.get(name) and isinstance(metadata[name], str)):
            return f"{kind} {metadata.get('name')} has no {name}"
    return None
