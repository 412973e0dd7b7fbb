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

    async def list_namespaces(self, headers: Mapping[str, str], among: Iterable[str]) -> frozenset[str]:
        """Those that the sender of a request may see."""
        try:
            return await self._list_visible(bearer(headers), sorted(set(among)))
        except ToolFailure as failure:
            text = f"cannot verify your token, the API server did not answer: {failure.message}"
            raise TurnedAwayError(503, text) from failure

    async def _list_visible(self, token: str, among: list[str]) -> frozenset[str]:
        user = await self._access.read_user(token)
        if user is None:
            raise TurnedAwayError(401, "send a valid token of this cluster: Authorization: Bearer <token>")
        # One question suffices for whoever may see all namespaces, which most callers with rights may.
        if await self._access.check_access(user, resourceAttributes=_GET):
            return frozenset(among)
        asked = [self._access.check_access(user, resourceAttributes={**_GET, "namespace": each}) for each in among]
        answers = await asyncio.gather(*asked)
        return frozenset(each for each, may in zip(among, answers, strict=True) if may)
