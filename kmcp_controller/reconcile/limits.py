"""Whose pods a new version of the controller may roll now: so many Deployments at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from kmcp_controller.cluster.store import Key, Store

from .rollout import under_way


class Turns:
    """Rollouts are counted by what the Deployments say, so a restart forgets none; any rollout takes a turn."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._applying: set[Key] = set()  # what their answers will tell is not in the store yet
        self._waiting: dict[Key, None] = {}

    @contextmanager
    def turn(self, key: Key, needed: bool) -> Iterator[bool]:
        """Whether that Deployment may be applied within the block; who needs no turn may always."""
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

    def next(self) -> list[Key]:
        """Those who have waited longest, as many as there are turns."""
        return list(self._waiting)[: max(self._free(), 0)] if self._waiting else []

    def forget(self, key: Key) -> None:
        self._waiting.pop(key, None)

    def _free(self, key: Key | None = None) -> int:
        deployments = self._store.of_kind("Deployment")
        rolling = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in deployments if under_way(each)}
        return self._most - len((rolling | self._applying) - {key})
