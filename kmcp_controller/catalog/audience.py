"""Who sees what of the catalog: the namespaces whose MCPServers a caller may get, by the API server's word."""

import asyncio
from collections.abc import Iterable, Mapping

from kmcp_controller.cluster.access import Access, bearer
from kmcp_controller.spec.model import API_GROUP
from kmcp_runtime.errors import ToolFailure

_GET = {"verb": "get", "group": API_GROUP, "resource": "mcpservers"}


class TurnedAwayError(Exception):
    """`status` is that of HTTP, the text for whoever called."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Audience:
    def __init__(self, access: Access) -> None:
        self._access = access

    async def namespaces(self, headers: Mapping[str, str], among: Iterable[str]) -> frozenset[str]:
        """Those that the sender of a request may see."""
        try:
            return await self._seen(bearer(headers), sorted(set(among)))
        except ToolFailure as failure:
            text = f"the API server was asked who you are and did not answer: {failure.message}"
            raise TurnedAwayError(503, text) from failure

    async def _seen(self, token: str, among: list[str]) -> frozenset[str]:
        user = await self._access.user(token)
        if user is None:
            raise TurnedAwayError(401, "send a token that the API server knows, as Authorization: Bearer …")
        if await self._access.may(user, resourceAttributes=_GET):
            return frozenset(among)
        asked = [self._access.may(user, resourceAttributes={**_GET, "namespace": each}) for each in among]
        answers = await asyncio.gather(*asked)
        return frozenset(each for each, may in zip(among, answers, strict=True) if may)
