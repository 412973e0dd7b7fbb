"""Who follows a request to a foreign server on its way: hears of progress, and answers what the server asks."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.foreign.json_rpc import RefusedError

NO_METHOD = -32601
Asked = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Answers what the server asks on the way to an answer: method and params to a result. Errors: `RefusedError`."""
Progress = Callable[[Mapping[str, Any]], Awaitable[None]]


async def _refuse(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    raise RefusedError(NO_METHOD, f"{method}: nobody can be asked here")


@dataclass(frozen=True)
class Attending:
    """Who follows a request on its way."""

    progress: Progress | None = None
    asked: Asked = _refuse

    async def answer(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The members of the answer to what the server asks."""
        if method == "ping":
            return {"result": {}}
        try:
            return {"result": await self.asked(method, params)}
        except RefusedError as error:
            return {"error": {"code": error.code, "message": error.message}}
