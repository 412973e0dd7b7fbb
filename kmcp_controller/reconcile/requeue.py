"""When the next pass over a server is due although nothing that is watched has changed."""

import random

from kmcp_controller import status
from kmcp_controller.cluster.store import Key

from .backend import BackendReadiness
from .options import Options


class Requeue:
    """Backs off from servers that stay unready: a pod that cannot start is looked at every 30 s, not every 5."""

    def __init__(self, options: Options, readiness: BackendReadiness) -> None:
        self._options, self._readiness = options, readiness
        self._unready: dict[Key, int] = {}

    def after(self, key: Key, observed: status.Observed, referring: bool) -> float:
        """Seconds. `referring`: the server's pods read Secrets or ConfigMaps, which are not watched."""
        times = [self.resync()]
        waiting = observed.rollout is None or bool(status.unready(observed.rollout))
        if waiting and not (observed.rollout and observed.rollout.wanted == 0):
            first, slowest = self._options.unready_seconds
            count = self._unready[key] = min(self._unready.get(key, 0) + 1, 8)
            times.append(min(first * 2 ** (count - 1), slowest))
        else:
            self._unready.pop(key, None)
        if referring:
            times.append(self._options.references_seconds)
        if observed.missing or observed.failed:
            times.append(min(10.0, self._options.references_seconds))
        if self._readiness.watched(key):
            times.append(self._readiness.SECONDS)
        return min(times)

    def resync(self) -> float:
        """Spread over time, so that servers created together are not all looked at together for ever."""
        return self._options.resync_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - no secret depends on it

    def forget(self, key: Key) -> None:
        self._unready.pop(key, None)
