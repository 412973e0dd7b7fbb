"""What a new, relabelled or handed over object makes controllers take, and so delete: one look at what is there.

A controller adopts what its selector matches and nobody controls, and deletes what it does not want of it. The look is
bounded; where it cannot be made, or does not reach everything, that is the reason to ask.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.losses import in_words
from kmcp_runtime.kube.parts import Object, part
from kmcp_runtime.kube.selectors import matches, selector_of

if TYPE_CHECKING:
    from kmcp_runtime.kube.api import KubeApi

_MOST = 500
"""Objects of a kind that are looked at."""
_CORE, _APPS, _BATCH = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
_PODS, _REVISIONS, _SETS = (_CORE, "pods"), (_APPS, "controllerrevisions"), (_APPS, "replicasets")
_ADOPTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ReplicationController": (_PODS,),
    "ReplicaSet": (_PODS,),
    "Job": (_PODS,),
    "StatefulSet": (_PODS, _REVISIONS),
    "DaemonSet": (_PODS, _REVISIONS),
    "Deployment": (_SETS,),
}
"""What a controller of the kind takes over."""
_BASES = {"ReplicationController": _CORE, "Job": _BATCH}
_TAKEN = {"Pod": "pods", "ControllerRevision": "controllerrevisions", "ReplicaSet": "replicasets"}
LABELLED = frozenset({"nodes", *_TAKEN.values()})
"""Kinds whose labels decide what becomes of them, or of what is on them."""


async def of_creation(api: "KubeApi", namespace: str | None, made: Object) -> list[str]:
    """In words, what a new object takes over, or is taken over by."""
    if made.get("kind") == "PersistentVolume":
        return await _claimed(api, {}, made)
    if namespace is None:
        return []
    found = await _adopts(api, namespace, made) if made.get("kind") in _ADOPTS else []
    return found + await _adopted(api, namespace, {}, made)


async def of_change(api: "KubeApi", namespace: str | None, before: Object, after: Object) -> list[str]:
    """In words, what a change of labels, of owners or of a claim hands over."""
    kind = before.get("kind")
    if kind == "PersistentVolume":
        return await _claimed(api, before, after)
    if kind == "Node":
        return await _leaves(api, before, after)
    handed = [
        f"gives {in_words(before)} to {each.get('kind')} {each.get('name')}, which may delete it"
        for each in _controllers(after)
        if each.get("uid") not in [known.get("uid") for known in _controllers(before)]
    ]
    return handed + (await _adopted(api, namespace, before, after) if namespace else [])


async def _adopts(api: "KubeApi", namespace: str, made: Object) -> list[str]:
    selector = selector_of(part(made, "spec"))
    if not selector:
        return []
    found = []
    for base, plural in _ADOPTS[str(made["kind"])]:
        items, fault = await _list(api, f"{base}/namespaces/{namespace}/{plural}", (("labelSelector", selector),))
        free = [_name(each) for each in items if not _controllers(each)]
        if free:
            found.append(f"{in_words(made)} takes over what it may delete: {plural} {_few(free)}")
        elif fault:
            found.append(f"which {plural} {in_words(made)} takes over, and may delete, cannot be seen: {fault}")
    return found


async def _adopted(api: "KubeApi", namespace: str, before: Object, after: Object) -> list[str]:
    """By whom an object that nobody controls is taken over once it has these labels."""
    plural = _TAKEN.get(str(after.get("kind")))
    old, new = _labels(before), _labels(after)
    if plural is None or not new or old == new or _controllers(after):
        return []
    found = []
    for kind in (kind for kind, taken in _ADOPTS.items() if plural in [each for _, each in taken]):
        owners = f"{_BASES.get(kind, _APPS)}/namespaces/{namespace}/{kind.lower()}s"
        items, fault = await _list(api, owners)
        specs = [(_name(each), part(each, "spec")) for each in items]
        taking = [name for name, spec in specs if matches(spec, new) and not (before and matches(spec, old))]
        if taking:
            found.append(f"{in_words(after)} is taken over by {kind} {_few(taking)}, which may delete it or others")
        elif fault:
            found.append(f"whether a {kind} takes over {in_words(after)} cannot be seen: {fault}")
    return found


async def _leaves(api: "KubeApi", before: Object, after: Object) -> list[str]:
    """Which DaemonSets may no longer run on a node for its labels."""
    old, new = _labels(before), _labels(after)
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    if not changed:
        return []
    items, fault = await _list(api, f"{_APPS}/daemonsets")
    leaving = [in_words(each, "DaemonSet") for each in items if _excludes(each, changed, old)]
    name = in_words(before)
    if leaving:
        return [f"may stop pods on {name}, whose labels place them: {_few(leaving)}"]
    return [f"which DaemonSets leave {name} cannot be seen: {fault}"] if fault else []


def _excludes(daemon_set: Object, changed: set[str], old: Mapping[str, Any]) -> bool:
    pod = part(daemon_set, "spec", "template", "spec")
    wanted = part(pod, "nodeSelector")
    if any(key in changed and old.get(key) == value for key, value in wanted.items()):
        return all(old.get(key) == value for key, value in wanted.items())
    return bool(changed & set(_keys(part(pod, "affinity", "nodeAffinity"))))


def _keys(affinity: Object) -> Iterator[str]:
    required = part(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
    for term in required.get("nodeSelectorTerms") or ():
        yield from (str(each.get("key")) for each in term.get("matchExpressions") or ())


async def _claimed(api: "KubeApi", before: Object, after: Object) -> list[str]:
    """A volume that is bound to a claim which is not there, or is another's, is released: deleted, if it says so."""
    spec = part(after, "spec")
    claim, known = part(spec, "claimRef"), part(before, "spec", "claimRef")
    policy = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    if policy == "Retain" or not claim.get("name") or claim.get("uid") == known.get("uid") is not None:
        return []
    fault = await _fault_of_claim(api, claim, _name(after))
    return [f"{in_words(after)} is released at once, and its policy is {policy}: {fault}"] if fault else []


async def _fault_of_claim(api: "KubeApi", claim: Object, volume: str) -> str | None:
    named = f"claim {claim.get('namespace')}/{claim['name']}"
    path = f"{_CORE}/namespaces/{claim.get('namespace')}/persistentvolumeclaims/{claim['name']}"
    try:
        found = await api.read_unjudged(path)
    except ToolFailure as failure:
        if failure.code == "not_found":
            # Without a uid it waits for the claim.
            return f"{named} does not exist" if claim.get("uid") else None
        return f"{named} cannot be seen ({failure.message})"
    if claim.get("uid") not in (None, part(found, "metadata").get("uid")):
        return f"{named} has another uid"
    bound = part(found, "spec").get("volumeName")
    return f"{named} has another volume" if bound not in (None, "", volume) else None


async def _list(
    api: "KubeApi", path: str, query: Sequence[tuple[str, str]] = ()
) -> tuple[Sequence[Object], str | None]:
    """The first objects, and why these are not all."""
    try:
        found = await api.read_unjudged(path, [*query, ("limit", str(_MOST))])
    except ToolFailure as failure:
        return (), failure.message
    more = part(found, "metadata").get("continue")
    return found.get("items") or (), f"there are more than {_MOST}" if more else None


def _controllers(found: Object) -> list[Object]:
    owners = part(found, "metadata").get("ownerReferences") or ()
    return [each for each in owners if isinstance(each, Mapping) and each.get("controller") is True]


def _labels(found: Object) -> Mapping[str, Any]:
    return part(found, "metadata", "labels")


def _name(found: Object) -> str:
    metadata = part(found, "metadata")
    return str(metadata.get("name") or metadata.get("generateName") or "")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
