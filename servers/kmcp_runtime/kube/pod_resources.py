"""What a pod takes of its node: the requests and limits that the scheduler and `kubectl describe node` count.

Pure. The rules are those of `resourcehelper.PodRequests` and `PodLimits` of k8s.io/component-helpers.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from kmcp_runtime.kube.quantities import number
from kmcp_runtime.kube.workloads import is_sidecar

Amounts = dict[str, Decimal]
"""By resource, in its base unit: cores, bytes, pieces."""
_OF_PODS = ("cpu", "memory")
_HUGE_PAGES = "hugepages-"


def requests(pod: Mapping[str, Any]) -> Amounts:
    """What the scheduler sets aside for a pod."""
    spec = pod.get("spec") or {}
    return _sum(_of_containers(spec, "requests"), _amounts(spec.get("overhead")))


def limits(pod: Mapping[str, Any]) -> Amounts:
    """What a pod can take at most; a resource that no container limits is absent."""
    spec = pod.get("spec") or {}
    found = _of_containers(spec, "limits")
    overhead = _amounts(spec.get("overhead"))
    # What runs a pod adds to a limit, but makes none.
    return {name: amount + (overhead.get(name, Decimal(0)) if amount else 0) for name, amount in found.items()}


def bound(pod: Mapping[str, Any], word: str, resource: str) -> Decimal | None:
    """The sum of `limits` or `requests` over the containers that run together; None when one of them has none.

    That of the pod as a whole counts instead, where it is set.
    """
    spec = pod.get("spec") or {}
    of_pod = _given(spec, word).get(resource)
    if of_pod is not None:
        return of_pod
    sidecars = [each for each in spec.get("initContainers") or () if is_sidecar(each)]
    given = [_given(each, word).get(resource) for each in (*(spec.get("containers") or ()), *sidecars)]
    known = [each for each in given if each]
    return sum(known, Decimal(0)) if known and len(known) == len(given) else None


def _of_containers(spec: Mapping[str, Any], word: str) -> Amounts:
    running: Amounts = {}
    for container in spec.get("containers") or ():
        running = _sum(running, _given(container, word))
    sidecars: Amounts = {}
    highest: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _given(container, word)
        if is_sidecar(container):
            running, sidecars = _sum(running, own), _sum(sidecars, own)
            highest = _merged(highest, sidecars, max)
        else:
            # It runs alone, beside the sidecars that were started before it.
            highest = _merged(highest, _sum(own, sidecars), max)
    of_pod = {
        name: amount
        for name, amount in _given(spec, word).items()
        if name in _OF_PODS or name.startswith(_HUGE_PAGES)  # resources of a whole pod: other names are not counted
    }
    return {**_merged(running, highest, max), **of_pod}


def _given(holder: Mapping[str, Any], word: str) -> Amounts:
    return _amounts((holder.get("resources") or {}).get(word))


def _amounts(given: Mapping[str, Any] | None) -> Amounts:
    return {str(name): number(amount) for name, amount in (given or {}).items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return _merged(one, other, lambda first, second: first + second)


def _merged(one: Amounts, other: Amounts, how: Callable[[Decimal, Decimal], Decimal]) -> Amounts:
    return {name: how(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in dict.fromkeys((*one, *other))}
