"""Clients of API servers by context and identity: the last used ones are kept, a client in use is never closed."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from kmcp_runtime.call import Call
from kmcp_runtime.kube.api import KubeApi

IDLE_SECONDS = 600.0
"""After which the client of an identity is let go, whether or not there is room for it."""
Key = tuple[str, str]
"""The context, and the key of the identity; empty for the server's own, whose clients stay."""


@dataclass(eq=False)
class _Client:
    api: KubeApi
    used_at: float
    calls: int = 0


class Clients:
    """At most `most` of identities, and more only while as many calls are under way."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._clients: OrderedDict[Key, _Client] = OrderedDict()
        self._retired: set[_Client] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Those that are open, or still in use."""
        return len(self._clients) + len(self._retired)

    def use(self, key: Key, make: Callable[[], KubeApi], call: Call) -> KubeApi:
        """The client of this key, open until the call has ended."""
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = _Client(make(), self._clock())
        found.used_at = self._clock()
        found.calls += 1
        self._clients.move_to_end(key)
        call.at_end.append(lambda: self._release(found))
        self._let_go()
        return found.api

    def retire_all(self) -> None:
        """Use none of them for a new call: what they were made from has changed."""
        for key in list(self._clients):
            self._retire(key)

    async def close(self) -> None:
        """Close all, those of calls that have not ended too."""
        self.retire_all()
        for client in list(self._retired):
            self._close(client)
        await asyncio.gather(*self._closing)

    def _release(self, client: _Client) -> None:
        client.calls -= 1
        client.used_at = self._clock()
        if client in self._retired and not client.calls:
            self._close(client)
        self._let_go()

    def _let_go(self) -> None:
        """The longest unused beyond `most`, and those that nobody has used for a while."""
        oldest = self._clock() - IDLE_SECONDS
        others = [(key, client) for key, client in self._clients.items() if key[1]]
        for number, (key, client) in enumerate(others):
            wanted = number >= len(others) - self._most and client.used_at >= oldest
            if not wanted and not client.calls:
                self._retire(key)

    def _retire(self, key: Key) -> None:
        client = self._clients.pop(key)
        self._retired.add(client)
        if not client.calls:
            self._close(client)

    def _close(self, client: _Client) -> None:
        self._retired.discard(client)
        task = asyncio.get_running_loop().create_task(client.api.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
