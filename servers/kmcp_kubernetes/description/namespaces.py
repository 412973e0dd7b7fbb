"""Namespaces with what limits them: quotas with what is used, and limit ranges."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_kubernetes.description.configuration import describe_anything
from kmcp_kubernetes.description.facts import Detail, Facts, Look, without_none

_LIMITS = (
    ("default", "default limit"),
    ("defaultRequest", "default request"),
    ("min", "at least"),
    ("max", "at most"),
    ("maxLimitRequestRatio", "limit to request at most"),
)


async def describe_namespace(look: Look) -> Facts:
    facts, quotas, ranges = await asyncio.gather(
        describe_anything(look),
        look.list_objects("resourcequotas", look.name),
        look.list_objects("limitranges", look.name),
    )
    facts.related += [
        {"kind": "ResourceQuota", "name": each["metadata"]["name"], "state": ", ".join(used(each))} for each in quotas
    ]
    facts.related += [
        {"kind": "LimitRange", "name": each["metadata"]["name"], "state": "; ".join(limits(each))} for each in ranges
    ]
    return facts


async def describe_quota(look: Look) -> Facts:
    scopes = [
        *(look.spec.get("scopes") or ()),
        *map(_scope, (look.spec.get("scopeSelector") or {}).get("matchExpressions") or ()),
    ]
    return Facts(without_none({"scopes": scopes, "used": list(used(look.found))}))


async def describe_limits(look: Look) -> Facts:
    return Facts({"limits": list(limits(look.found))})


def used(quota: Mapping[str, Any]) -> Iterator[str]:
    """`pods 3 of 10`, in the order of the quota."""
    status = quota.get("status") or {}
    hard = status.get("hard") or (quota.get("spec") or {}).get("hard") or {}
    for name, most in hard.items():
        yield f"{name} {(status.get('used') or {}).get(name, '?')} of {most}"


def limits(found: Mapping[str, Any]) -> Iterator[str]:
    """`Container memory: default limit 256Mi, at most 1Gi`."""
    for each in (found.get("spec") or {}).get("limits") or ():
        resources: dict[str, Detail] = {}
        for key, words in _LIMITS:
            for resource, amount in (each.get(key) or {}).items():
                resources.setdefault(resource, {})[words] = amount
        for resource, said in resources.items():
            yield f"{each.get('type')} {resource}: " + ", ".join(f"{words} {amount}" for words, amount in said.items())


def _scope(each: Mapping[str, Any]) -> str:
    return " ".join(map(str, (each.get("scopeName"), each.get("operator"), *(each.get("values") or ()))))
