"""What keeps a namespace from ending, and what becomes of its volumes: named in the plan of its deletion."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing.dependents import list_contents
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.discovery import Kind

MOST_NAMED = 100
"""Objects that a plan names of either sort."""
_CLAIMS = "persistentvolumeclaims"


async def find_held(
    kube: Kube, place: Place, found: Mapping[str, Any], warnings: list[str]
) -> tuple[list[str], list[str]]:
    """The objects in a namespace whose finalizers it waits for, and what becomes of the volumes of its claims.

    Empty for another kind, except for the volumes of a claim and of a volume itself. What was not looked at is told.
    """
    metadata = found["metadata"]
    if place.kind.full_name == _CLAIMS:
        return [], await _reclaimed(kube, [found], warnings)
    if place.kind.full_name == "persistentvolumes":
        return [], [_policy(found, _claim_of(found))]
    if place.kind.full_name != "namespaces":
        return [], []
    contents = await list_contents(kube, metadata["name"], warnings)
    held = [_held(kind, item) for kind, items in contents for item in items if item["metadata"].get("finalizers")]
    claims: Sequence[Mapping[str, Any]] = ()
    if any(kind.full_name == _CLAIMS and items for kind, items in contents):
        claims = await kube.list_objects(_CLAIMS, metadata["name"])
    if len(claims) > MOST_NAMED:
        warnings.append(f"what becomes of the volumes of {len(claims) - MOST_NAMED} more claims was not looked at")
    return _bounded(sorted(held)), _bounded(await _reclaimed(kube, claims[:MOST_NAMED], warnings))


def _held(kind: Kind, item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{kind.kind} {metadata['name']}: {', '.join(metadata['finalizers'])}"


async def _reclaimed(kube: Kube, claims: Sequence[Mapping[str, Any]], warnings: list[str]) -> list[str]:
    bound = [claim for claim in claims if (claim.get("spec") or {}).get("volumeName")]

    async def one(claim: Mapping[str, Any]) -> str | None:
        try:
            volume = await kube.read_kind("persistentvolumes", claim["spec"]["volumeName"], None)
        except ToolFailure as failure:
            warnings.append(f"what becomes of the volume of claim {claim['metadata']['name']}: {failure.message}")
            return None
        return _policy(volume, claim["metadata"]["name"])

    return [said for said in await asyncio.gather(*(one(claim) for claim in bound)) if said]


def _policy(volume: Mapping[str, Any], claim: str | None) -> str:
    """`PersistentVolume v (claim c): Delete`, which is what happens to it once its claim is gone."""
    policy = (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") or "Retain"
    of = f" (claim {claim})" if claim else ""
    return f"PersistentVolume {volume['metadata']['name']}{of}: {policy}"


def _claim_of(volume: Mapping[str, Any]) -> str | None:
    return ((volume.get("spec") or {}).get("claimRef") or {}).get("name")


def _bounded(found: list[str]) -> list[str]:
    more = len(found) - MOST_NAMED
    return [*found[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]
