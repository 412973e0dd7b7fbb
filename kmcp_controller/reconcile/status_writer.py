"""The status of an MCPServer, written in one apply and only when it differs from what is there."""

from collections.abc import Mapping
from typing import Any

from kmcp_controller import status
from kmcp_controller.cluster.client import Cluster, identity
from kmcp_controller.cluster.store import Store
from kmcp_runtime.kube.failures import StatusFailure

Object = dict[str, Any]
_LEARNT = ("ToolsDiscovered", "CatalogMatched")
_LEARNT_FIELDS = ("tools", "serverInfo")


class StatusWriter:
    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store
        self.declared: frozenset[str] | None = None
        """Fields that the served schema knows (upstream's knows fewer); None: any."""

    async def learn(self) -> None:
        self.declared = await self._cluster.read_status_fields()

    async def write(
        self, source: Object, observed: status.Observed, fields: Mapping[str, Any], now: str
    ) -> list[Object] | None:
        """The conditions as they are now; None when the resource is gone."""
        live: Object = source.get("status") or {}
        found = status.conditions(observed)
        if observed.discovery.reason == "Pending":  # not looked at yet in this process: what is known stays
            known = {each["type"] for each in live.get("conditions") or ()}
            found = [each for each in found if each.type not in _LEARNT or each.type not in known]
            fields = {key: live[key] for key in _LEARNT_FIELDS if key in live} | dict(fields)
        conditions = _complete(live, status.merge(live.get("conditions") or (), found, _generation(source), now))
        wanted = {"conditions": conditions, "observedGeneration": _generation(source), **fields}
        if _matches_live(self._allowed(wanted), live):
            return conditions
        return conditions if await self._apply(source, wanted) else None

    def _allowed(self, wanted: Object) -> Object:
        return {key: value for key, value in wanted.items() if self.declared is None or key in self.declared}

    async def _apply(self, source: Object, wanted: Object) -> bool:
        for retry in (True, False):
            body = {**identity(source), "status": self._allowed(wanted)}
            try:
                self._store.put(await self._cluster.apply(body, force=True, subresource="status"))
            except StatusFailure as failure:
                if failure.http_status in (404, 409):  # gone, or another object with its name: its own event follows
                    return False
                if not retry or "not declared in schema" not in failure.message:
                    raise
                await self.learn()  # the definition was exchanged under us
                continue
            return True
        raise AssertionError("unreachable: the second attempt returns or raises")


def _complete(live: Object, conditions: list[Object]) -> list[Object]:
    """With those of ours that were not looked at, as they are: an apply would drop what it leaves out."""
    have = {each["type"] for each in conditions}
    kept = [each for each in live.get("conditions") or () if each["type"] in _LEARNT and each["type"] not in have]
    return [*conditions, *kept]


def _matches_live(wanted: Object, live: Object) -> bool:
    ours = {each["type"]: each for each in live.get("conditions") or ()}
    same = all(ours.get(each["type"]) == each for each in wanted["conditions"])
    return same and all(live.get(key) == value for key, value in wanted.items() if key != "conditions")


def _generation(source: Object) -> int:
    return int(source["metadata"].get("generation", 0))
