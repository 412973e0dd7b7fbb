"""Limits how many Deployments a new version of the controller rolls at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from kmcp_controller.cluster.store import Key, Store

from .rollout import under_way


class RolloutLimiter:
    """Rollouts are counted from the Deployments' own status, so a restart forgets none; any rollout takes a slot."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._applying: set[Key] = set()  # their answers are not in the store yet
        self._waiting: dict[Key, None] = {}

    @contextmanager
    def slot(self, key: Key, needed: bool) -> Iterator[bool]:
        """Whether that Deployment may be applied within the block; always True where no slot is needed."""
        mine = not needed or self._free(key) > 0
        self.forget(key)
        if not mine:
            self._waiting[key] = None
            yield False
            return
        self._applying.add(key)
        try:
            yield True
        finally:
            self._applying.discard(key)

    def waiting_longest(self) -> list[Key]:
        """Those that have waited longest, as many as there are free slots."""
        return list(self._waiting)[: max(self._free(), 0)] if self._waiting else []

    def forget(self, key: Key) -> None:
        self._waiting.pop(key, None)

    def _free(self, key: Key | None = None) -> int:
        deployments = self._store.of_kind("Deployment")
        rolling = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in deployments if under_way(each)}
        return self._most - len((rolling | self._applying) - {key})
