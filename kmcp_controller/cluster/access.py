"""Who owns a bearer token and what that user may do, as the API server answers; answers are kept for a minute."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # A suite on a laptop serves its catalog without a cluster, and without the library that talks to one.
    from .client import Cluster

Object = Mapping[str, Any]
T = TypeVar("T")
_SECONDS = 60.0
_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class Access:
    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._known: dict[str, tuple[float, Any]] = {}

    async def read_user(self, token: str) -> Object | None:
        """Name, groups and the like of the token's owner; None for a token that the API server does not accept."""

        async def ask() -> Object | None:
            status = await self._review(_TOKENS, {"token": token})
            return status["user"] if status.get("authenticated") else None

        return await self._remember(["user", token], ask) if token else None

    async def check_access(self, user: Object, **attributes: Object) -> bool:
        """`attributes`: `resourceAttributes` or `nonResourceAttributes` of a SubjectAccessReview."""
        who = {key: user[key] for key in ("uid", "groups", "extra") if user.get(key)} | {"user": user["username"]}

        async def ask() -> bool:
            return bool((await self._review(_ACCESS, {**who, **attributes})).get("allowed"))

        return await self._remember(["may", who, attributes], ask)

    async def _review(self, path: str, spec: Object) -> Object:
        found = await self._cluster.review(path, spec)
        return found.get("status") or {}

    async def _remember(self, question: list[Any], ask: Callable[[], Awaitable[T]]) -> T:
        key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()  # no token stays in memory
        now = asyncio.get_running_loop().time()
        # Whoever sends ever new tokens must not fill the memory.
        self._known = {each: known for each, known in self._known.items() if known[0] > now}
        if key not in self._known:
            self._known[key] = (now + _SECONDS, await ask())
        answer: T = self._known[key][1]
        return answer


def bearer(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header; empty without one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
