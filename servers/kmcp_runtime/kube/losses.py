"""What is lost when an object changes from one state to another: in words, empty when nothing is. Pure.

A loss is data that is nowhere else, something that stops running, or an order to delete that others carry out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kmcp_runtime.kube import marks, stored_fields
from kmcp_runtime.kube.parts import Object, is_custom, part

COUNTS = frozenset(
    {"replicas", "minReplicas", "maxReplicas", "minReplicaCount", "maxReplicaCount", "parallelism", "instances"}
)
"""Fields that say how many of something run."""
_ORDERS = frozenset(
    {"deletionPolicy", "reclaimPolicy", "persistentVolumeReclaimPolicy", "whenDeleted", "whenScaled", "removalPolicy"}
)
"""Fields that say what becomes of something once it is not needed."""
_KEEPING = frozenset({"retain", "orphan", "abandon", "keep", "none", ""})
"""Values of such an order that leave what there is."""
_HISTORIES = ("revisionHistoryLimit", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_LIMITS = ("activeDeadlineSeconds", "ttlSecondsAfterFinished")
_OF_JOBS = ("backoffLimit", "completions")
"""Fields of a Job that end pods which run when they are lowered."""
_OBEYED_STATUS = frozenset(
    {
        "pods",
        "nodes",
        "jobs",
        "cronjobs",
        "persistentvolumeclaims",
        "persistentvolumes",
        "namespaces",
        "customresourcedefinitions",
    }
)
"""Kinds whose status makes controllers stop, evict or release something."""


def in_words(found: Object, kind: str | None = None) -> str:
    """`ConfigMap a/b`."""
    metadata = part(found, "metadata")
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{kind or found.get('kind') or 'object'} {where}{metadata.get('name') or metadata.get('generateName', '')}"


def of_creation(made: Object) -> list[str]:
    """What a new object makes others delete or stop."""
    name = in_words(made)
    found = [f"{name} makes a controller delete what is not in its source ({path})" for path in _prunes({}, made)]
    spec = part(made, "spec")
    if "Autoscaler" in str(made.get("kind")) and spec.get("minReplicas") == 0:
        found.append(f"{name} may scale its target to 0")
    # Nodes and the scheduler end others for these.
    if any(str(each).startswith("system-") for each in _values_of(spec, "priorityClassName")):
        found.append(f"{name} has the priority of the system, for which others are stopped")
    return found


def of_change(before: Object, after: Object, kind: str | None = None) -> list[str]:
    """What is lost when `before` becomes `after`; `kind` is what to call it when it does not say itself."""
    name = in_words(before if part(before, "metadata").get("name") else after, kind)
    return [loss for rule in _RULES for loss in rule(name, before, after)]


def of_status(plural: str, before: Object, after: Object) -> list[str]:
    """A status that controllers obey: a pod that is said to have failed is replaced, a node's pods are evicted."""
    old, new = part(before, "status"), part(after, "status")
    if plural == "rollouts":
        return [*_aborted(in_words(before), before, after)]
    if plural not in _OBEYED_STATUS or old == new:
        return []
    return [f"changes the status of {in_words(before)}, on which controllers stop, evict or release things"]


def _gone_keys(name: str, before: Object, after: Object) -> Iterator[str]:
    if before.get("kind") not in ("ConfigMap", "Secret"):
        return
    old, new = _values(before), _values(after)
    for key in sorted(old.keys() - new.keys()):
        yield f"removes key {key} of {name}"
    for key in sorted(key for key in old.keys() & new.keys() if old[key] and not new[key]):
        yield f"empties key {key} of {name}"


def _values(found: Object) -> dict[str, Any]:
    return {
        str(key): value for field in ("data", "binaryData", "stringData") for key, value in part(found, field).items()
    }


def _gone_claims(name: str, before: Object, after: Object) -> Iterator[str]:
    left = set(_claims(after.get("spec")))
    for claim in dict.fromkeys(_claims(before.get("spec"))):
        if claim not in left:
            yield f"takes PersistentVolumeClaim {claim} away from {name}"
    kept = {_named(each) for each in _parts(part(after, "spec"), "volumeClaimTemplates")}
    for template in _parts(part(before, "spec"), "volumeClaimTemplates"):
        if _named(template) not in kept:
            yield f"removes the claim template {_named(template)} of {name}"


def _claims(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        claim = node.get("persistentVolumeClaim")
        if isinstance(claim, Mapping) and claim.get("claimName"):
            yield str(claim["claimName"])
        for each in node.values():
            yield from _claims(each)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            yield from _claims(each)


def _named(template: Object) -> str:
    return str(part(template, "metadata").get("name") or "")


def _stopped(name: str, before: Object, after: Object) -> Iterator[str]:
    for path, old, new in pairs(before.get("spec"), after.get("spec"), ("spec",)):
        # A schema's integer may be written as 0.0; false is none.
        if path[-1] in COUNTS and new == 0 and not isinstance(new, bool) and old != 0:
            start = "" if old is None else f"from {old} "
            yield f"scales {name} {start}to 0" + ("" if path == ("spec", "replicas") else f" ({'.'.join(path)})")
    if is_custom(before):
        # What is left out of a kind of Kubernetes' own has a default, which runs something.
        for path, new, old in pairs(after.get("spec"), before.get("spec"), ("spec",)):
            if path[-1] in COUNTS and new is None and is_number(old) and old > 0:
                yield f"removes {'.'.join(path)} of {name}, which is {old}: what then runs is not known"


def _ended(name: str, before: Object, after: Object) -> Iterator[str]:
    old_spec, new_spec = part(before, "spec"), part(after, "spec")
    kind = str(before.get("kind") or "")
    if kind.endswith("Job") and kind != "CronJob" and new_spec.get("suspend") is True and not old_spec.get("suspend"):
        yield f"suspends {name}, which ends its pods"
    for field in _OF_JOBS:
        if kind == "Job" and is_number(old_spec.get(field)) and _lowered(old_spec[field], new_spec.get(field)):
            yield f"lowers {field} of {name} from {old_spec[field]} to {new_spec[field]}, which may end its pods"
    if new_spec.get("concurrencyPolicy") == "Replace" and old_spec.get("concurrencyPolicy") != "Replace":
        yield f"makes {name} end a run that goes on when the next begins (concurrencyPolicy)"
    for field in _LIMITS:
        if kind != "CronJob" and _lowered(old_spec.get(field), new_spec.get(field)):
            yield f"sets {field} of {name} to {new_spec[field]}, after which it is ended or deleted"


def _displaced(name: str, before: Object, after: Object) -> Iterator[str]:
    old_spec, new_spec = part(before, "spec"), part(after, "spec")
    kind = before.get("kind")
    if kind == "Node":
        known = [_taint(each) for each in _parts(old_spec, "taints")]
        for taint in _parts(new_spec, "taints"):
            if taint.get("effect") == "NoExecute" and _taint(taint) not in known:
                yield f"evicts pods from {name} (taint {taint.get('key')})"
    if kind == "DaemonSet" and _placement(old_spec) != _placement(new_spec):
        yield f"may stop pods of {name} on nodes that it no longer selects"
    if "template" in old_spec and "selector" in old_spec and old_spec["selector"] != new_spec.get("selector"):
        yield f"changes the selector of {name}, which leaves its pods behind"


def _lowered(old: Any, new: Any) -> bool:
    return isinstance(new, int) and (not isinstance(old, int) or new < old)


def _taint(taint: Object) -> tuple[Any, ...]:
    return tuple(taint.get(field) for field in ("key", "value", "effect"))


def _placement(spec: Object) -> tuple[Any, ...]:
    pod = part(spec, "template", "spec")
    return pod.get("nodeSelector") or None, part(pod, "affinity").get("nodeAffinity") or None, pod.get("nodeName")


def _shrunk(name: str, before: Object, after: Object) -> Iterator[str]:
    old, new = part(before, "spec"), part(after, "spec")
    policy = part(old, "persistentVolumeClaimRetentionPolicy")
    (first, last), (new_first, new_last) = _ordinals(old), _ordinals(new)
    if first <= last and (new_first > first or new_last < last):
        if policy.get("whenScaled") == "Delete":
            yield f"takes ordinals from {name}, which deletes PersistentVolumeClaims (whenScaled)"
        elif new_first > last or (new_last < first and new_first <= new_last):
            yield f"stops every pod of {name} for others with other claims (ordinals)"
    for field in _HISTORIES:
        if isinstance(old.get(field), int) and _lowered(old[field], new.get(field)):
            yield f"lowers {field} of {name} from {old[field]} to {new[field]}, which deletes older ones"


def _ordinals(spec: Object) -> tuple[float, float]:
    """The first and the last number of a StatefulSet's pods; the last is the lower one when there are none."""
    start, replicas = part(spec, "ordinals").get("start", 0), spec.get("replicas", 1)
    first = start if is_number(start) else 0
    return first, first + (replicas if is_number(replicas) else 1) - 1


def _ordered(name: str, before: Object, after: Object) -> Iterator[str]:
    for place in _prunes(before, after):
        yield f"makes a controller delete what is not in the source of {name} ({place})"
    for top in (None, "spec"):
        old = before.get("spec") if top else {key: before.get(key) for key in _ORDERS}
        new = after.get("spec") if top else {key: after.get(key) for key in _ORDERS}
        for path, was, now in pairs(old, new, (top,) if top else ()):
            if path[-1] in _ORDERS and now != was and not _keeps(now):
                yield f"sets {'.'.join(path)} of {name} to {now}"
        for path, now, was in pairs(new, old, (top,) if top else ()):
            if path[-1] in _ORDERS and now is None and was and _keeps(was):
                yield f"removes {'.'.join(path)} of {name}, which is {was}"


def _keeps(order: Any) -> bool:
    return order is None or str(order).lower() in _KEEPING


def _prunes(before: Object, after: Object) -> Iterator[str]:
    for path, was, now in pairs(before.get("spec"), after.get("spec"), ("spec",)):
        if path[-1] == "prune" and now is True and was is not True:
            yield ".".join(path)


def _aborted(name: str, before: Object, after: Object) -> Iterator[str]:
    # Argo Rollouts: the pods of the new version stop, and its steps begin anew.
    aborts = bool(part(after, "status").get("abort")) and not part(before, "status").get("abort")
    if before.get("kind") == "Rollout" and aborts:
        yield f"aborts {name}, whose new version stops"


def _released(name: str, before: Object, after: Object) -> Iterator[str]:
    metadata = part(before, "metadata")
    if metadata.get("deletionTimestamp"):
        left = _list(part(after, "metadata"), "finalizers")
        gone = [str(each) for each in _list(metadata, "finalizers") if each not in left]
        if gone:
            yield f"removes finalizers of {name}, which is being deleted and then gone: {', '.join(gone)}"
    if before.get("kind") == "PersistentVolume":
        old, new = part(before, "spec").get("claimRef"), part(after, "spec").get("claimRef")
        if old and (not new or new.get("uid") != old.get("uid")):
            yield f"releases {name} from its claim, so that another may take it"


def _revoked(name: str, before: Object, after: Object) -> Iterator[str]:
    for field in ("rules", "subjects"):
        emptied = bool(_list(before, field)) and not _list(after, field)
        if emptied and str(before.get("apiVersion")).startswith("rbac.authorization.k8s.io/"):
            yield f"removes all {field} of {name}"


_RULES: tuple[Callable[[str, Object, Object], Iterator[str]], ...] = (
    _gone_keys,
    _gone_claims,
    _stopped,
    _ended,
    _displaced,
    _shrunk,
    _ordered,
    _aborted,
    _released,
    _revoked,
    marks.obeyed,
    stored_fields.lost,
)


def _list(node: Object, field: str) -> Sequence[Any]:
    found = node.get(field)
    return found if isinstance(found, list) else ()


def _parts(node: Object, field: str) -> list[Object]:
    return [each for each in _list(node, field) if isinstance(each, Mapping)]


def pairs(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Every single value of `after` with its path and the value before; items of lists meet by name, else by place."""
    if isinstance(after, Mapping):
        for key, new in after.items():
            old = before.get(key) if isinstance(before, Mapping) else None
            yield from pairs(old, new, (*path, str(key)))
    elif isinstance(after, list):
        old_items = before if isinstance(before, list) else []
        names = {_name_of(item): item for item in old_items if _name_of(item)}
        for number, new in enumerate(after):
            by_place = old_items[number] if number < len(old_items) else None
            yield from pairs(names.get(_name_of(new), by_place), new, path)
    elif path:
        yield path, before, after


def _values_of(node: Any, field: str) -> Iterator[Any]:
    """Every value of a field, at any depth."""
    if isinstance(node, Mapping):
        for key, each in node.items():
            yield from (each,) if key == field else _values_of(each, field)
    elif isinstance(node, list):
        for each in node:
            yield from _values_of(each, field)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _name_of(item: Any) -> str | None:
    found = item.get("name") if isinstance(item, Mapping) else None
    return found if isinstance(found, str) else None
