"""A release that is about to get another manifest: judged by both manifests, and by the objects as they are live."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kmcp_runtime import judging, live_state
from kmcp_runtime.catalog import Effect
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.helm import manifests, release_effects
from kmcp_runtime.helm.manifests import Part
from kmcp_runtime.judging import Resource, Verdict, of_losses
from kmcp_runtime.kube import losses, objects, takeovers
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.worker import run_in_thread

_MOST_LOOKED_AT = 500
_AT_ONCE = 8


@dataclass(frozen=True)
class Revision:
    """The release as it runs."""

    cluster: Cluster
    namespace: str
    name: str
    before: str
    """Its manifest; empty before an installation."""

    async def judge(self, *afters: str) -> Verdict:
        """By the manifest that it is to have; several are renderings of the same, which may differ by chance."""
        found: list[str] = []
        # What one rendering has and the next has not would be deleted by chance.
        for before, after in [*((self.before, each) for each in afters), *pairwise(afters)]:
            found += await run_in_thread(release_effects.losses_of_revision, self.namespace, before, after)
        found += await self._live(afters[-1])
        return of_losses(
            list(dict.fromkeys(found)),
            f"{'upgrades' if self.before else 'installs'} release {self.namespace}/{self.name}",
        )

    async def _live(self, after: str) -> list[str]:
        """What is lost of the live objects, which others may have changed since the manifest was applied."""
        parts = [part for part in await run_in_thread(manifests.objects, after) if part.name]
        if len(parts) > _MOST_LOOKED_AT:
            return [f"the manifest has more than {_MOST_LOOKED_AT} objects, too many to compare with what is live"]
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(part: Part) -> list[str]:
            async with slots:
                return await self._of_one(part)

        return [loss for found in await asyncio.gather(*(look(part) for part in parts)) for loss in found]

    async def _of_one(self, part: Part) -> list[str]:
        try:
            place = await self.cluster.place_of(part.api_version, part.kind, part.namespace or self.namespace)
            live = await objects.find(self.cluster.api, place.kind, part.name, place.namespace)
        except ToolFailure as failure:
            # A kind that the chart itself brings has no objects yet.
            unseen = f"what becomes of {part.kind} {part.name} cannot be seen: {failure.message}"
            return [] if failure.code == "not_found" else [unseen]
        if live is None:
            return await takeovers.of_creation(self.cluster.api, place.namespace, part.content)
        found = losses.of_change(live, _merged(live, part.content))
        if found:
            where = f"{part.kind} {place.namespace or ''}/{part.name}"
            live_state.bind(
                f"{where} (live)", {"uid": live["metadata"].get("uid"), "spec": live.get("spec"), "losses": found}
            )
        return found


async def reach_objects(cluster: Cluster, namespace: str, texts: Iterable[str], *effects: Effect) -> None:
    """Ask the policy about every object of these manifests: Helm itself sends the requests, past our own door.

    Errors: `denied`, for the first that it does not allow.
    """
    if not judging.is_guarded():
        return
    for text in texts:
        for part in await run_in_thread(manifests.objects, text):
            judging.reach(await _resource(cluster, namespace, part), *effects)


async def _resource(cluster: Cluster, namespace: str, part: Part) -> Resource:
    try:
        place = await cluster.place_of(part.api_version, part.kind, part.namespace or namespace)
    except ToolFailure:
        # A kind that the chart itself brings: whether it has a namespace is not known yet.
        return Resource(cluster.context.name, None, part.api_version.rpartition("/")[0], None, part.name, "")
    return Resource(cluster.context.name, place.namespace or "", place.kind.group, place.kind.plural, part.name, "")


def _merged(live: Any, wanted: Any) -> Any:
    """What Helm makes of a live value: fields that the manifest does not name stay as they are."""
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        given = {key: _merged(live.get(key), value) for key, value in wanted.items() if value is not None}
        return {**live, **given}
    if isinstance(live, list) and isinstance(wanted, list):
        known = {each.get("name"): each for each in live if isinstance(each, Mapping) and each.get("name")}
        if known and all(isinstance(each, Mapping) and each.get("name") for each in wanted):
            names = {each["name"] for each in wanted}
            kept = [each for name, each in known.items() if name not in names]
            return [*(_merged(known.get(each["name"]), each) for each in wanted), *kept]
    return wanted
