"""Bearer tokens that the API server of this process' own cluster confirms: those of pods, and of its users.

What is plainly no token for this audience never reaches the API server. The others are asked about once, a few at a
time; an answer is kept for a minute, and not beyond the token's own end. So a token of a pod that is gone may still
work for that minute.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from fastmcp.server.auth import TokenVerifier
from fastmcp.server.auth.auth import AccessToken

from kmcp_runtime.audit.refusals import because
from kmcp_runtime.engine.grants import GrantedToken
from kmcp_runtime.engine.json_web_tokens import read_part
from kmcp_runtime.engine.subjects import Subjects
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube import config
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.parts import part
from kmcp_runtime.own_cluster import Object, OwnCluster, own_contexts
from kmcp_runtime.redaction import learn

log = logging.getLogger("kmcp.auth")
KEPT_SECONDS = 60.0
REFUSED_SECONDS = 10.0
"""How long a refusal is kept: a ServiceAccount may be made, and a token become valid, at any time."""
LARGEST_TOKEN = 16 * 1024
_KEPT = 10_000
_AT_ONCE, _WAITING = 8, 200
_RIGHT = "grant this server create on tokenreviews.authentication.k8s.io"
_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"


class ClusterTokens(TokenVerifier):
    """Takes tokens for one audience; what their callers may is decided by user name and groups."""

    def __init__(
        self, contexts: config.Contexts, audience: str, subjects: Subjects, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._contexts = contexts
        self._address = contexts.named(None).server
        self._audience = audience
        self._subjects = subjects
        self._clock = clock
        self._cluster: OwnCluster | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._asking: dict[bytes, asyncio.Task[AccessToken | None]] = {}
        # Never the tokens themselves: whoever reads this memory cannot use what it holds.
        self._kept: OrderedDict[bytes, tuple[float, AccessToken | None]] = OrderedDict()

    async def verify_token(self, token: str) -> AccessToken | None:
        # Replaced by what is found out about it.
        because("not_confirmed")
        if fault := self._fault(token):
            log.warning("a token was refused: %s", fault)
            return None
        key = hashlib.sha256(token.encode()).digest()
        until, found = self._kept.get(key, (0.0, None))
        if self._clock() < until:
            return found and found.model_copy(update={"token": token})
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= _WAITING:
                because("not_reviewed")
                log.warning("a token was refused: %d others wait for the API server", _WAITING)
                return None
            task = self._asking[key] = asyncio.create_task(self._ask(token, key))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # Others may wait for the same answer when this caller goes away.
        found = await asyncio.shield(task)
        return found and found.model_copy(update={"token": token})

    def _fault(self, token: str) -> str | None:
        """Why the API server need not be asked. Only what the token says of itself: nothing has confirmed it yet."""
        if len(token) > LARGEST_TOKEN:
            because("malformed_token")
            return f"it is longer than {LARGEST_TOKEN >> 10} KiB"
        if not token.isascii() or not token.isprintable():
            because("malformed_token")
            return "it holds characters that no token has"
        claims = read_part(token, 1)
        if claims is None:
            return None  # A cluster may have other kinds.
        audiences = claims.get("aud")
        if self._audience not in (audiences if isinstance(audiences, list) else [audiences]):
            because("wrong_audience")
            return f"its audience is not {self._audience}"
        end = claims.get("exp")
        if not isinstance(end, int | float) or end <= self._clock():
            because("expired")
            return "it has ended, or has no end"
        return None

    async def _ask(self, token: str, key: bytes) -> AccessToken | None:
        try:
            async with self._slots:
                answer = await self._review(token)
        except ToolFailure as failure:
            because("not_reviewed")
            # Not kept: the next call asks again.
            hint = f"; {_RIGHT}" if isinstance(failure, StatusFailure) and failure.http_status == 403 else ""
            log.error("tokens cannot be reviewed, so their callers are refused: %s%s", failure.message, hint)
            return None
        found = self._accepted(token, answer)
        seconds = KEPT_SECONDS if found else REFUSED_SECONDS
        until = self._clock() + seconds
        if found and found.expires_at is not None:
            until = min(until, found.expires_at)
        self._kept[key] = until, found and found.model_copy(update={"token": ""})
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    async def _review(self, token: str) -> Object:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        if self._cluster is None:
            self._cluster = await OwnCluster.open(self._contexts)
        try:
            return await self._cluster.send("POST", _PATH, json=body)
        finally:
            await self._close_if_last()

    async def _close_if_last(self) -> None:
        """Connections serve whoever asks at the same time; who is known for a minute needs none meanwhile."""
        if len(self._asking) <= 1 and self._cluster is not None:
            cluster, self._cluster = self._cluster, None
            await cluster.aclose()

    def _accepted(self, token: str, answer: Object) -> GrantedToken | None:
        status, user = part(answer, "status"), part(answer, "status", "user")
        name, groups = user.get("username"), user.get("groups") or []
        # Without our audience in the answer, whoever answered does not know of audiences: the token may be for anyone.
        audiences = status.get("audiences")
        confirmed = isinstance(audiences, list) and self._audience in audiences
        if not (confirmed and status.get("authenticated") is True) or not isinstance(name, str) or not name:
            log.warning("a token was refused: the API server does not confirm it for the audience %s", self._audience)
            return None
        learn(token)  # Only now: what anybody may send must not push known secrets out.
        groups = [str(group) for group in groups] if isinstance(groups, list) else []
        extra = user.get("extra")
        extra = extra if isinstance(extra, dict) else {}
        end = (read_part(token, 1) or {}).get("exp")
        return GrantedToken(
            token=token,
            client_id=name,
            scopes=[],
            expires_at=int(end) if isinstance(end, int | float) else None,
            claims={"sub": name, "groups": groups, "uid": user.get("uid"), "extra": extra, "cluster": self._address},
            grant=self._subjects.grant(name, groups),
            proof="cluster",
        )


def open_reviewer(audience: str, grants: str) -> ClusterTokens:
    """Errors: `SettingsError` where there is no cluster, or the grants cannot be read."""
    subjects = Subjects(grants, "--token-grants / KMCP_TOKEN_GRANTS")
    return ClusterTokens(own_contexts("--token-review / KMCP_TOKEN_REVIEW"), audience, subjects)
