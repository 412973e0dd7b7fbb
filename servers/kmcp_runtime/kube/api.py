"""One request to the API server: sent with the context's credentials; the answer is data or a failure."""

import io
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from kmcp_runtime import answers, judging, touched, warnings, worker
from kmcp_runtime.errors import ToolFailure, timed_out, too_large, unavailable
from kmcp_runtime.identities import Identity
from kmcp_runtime.judging import Verdict
from kmcp_runtime.kube import config, credentials, request_effects, secret_values, shapes
from kmcp_runtime.kube.connection import Connection, Limits
from kmcp_runtime.kube.credentials import Credentials, Source
from kmcp_runtime.kube.failures import BACKEND, StatusFailure, from_response, unserved
from kmcp_runtime.kube.request_effects import KubeRequest
from kmcp_runtime.tracing import backend_requests, routes
from kmcp_runtime.tracing.backend_requests import Exchange, Target

__all__ = ["JSON", "LARGEST_ANSWER", "KubeApi", "Limits", "Query"]
JSON = "application/json"
# Far above a page of whole objects: it keeps an answer from using up the container's memory.
_LARGE_BODY = 256 * 1024
LARGEST_ANSWER = 64 * 1024 * 1024
_READ_CHUNK = 1 << 18
_SWITCHED = 101  # the status of HTTP with which a stream begins
# `299 - "v1 Endpoints is deprecated in v1.33+"`, as RFC 7234 writes it.
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
Query = Sequence[tuple[str, str]]
Kept = TypeVar("Kept")
# Of RFC 3986: `pchar`, `/`, and `?` for the addresses that the API server itself gives (/openapi/v3).
_OF_PATHS = "/%!$&'()*+,;=:@-._~?"


class KubeApi:
    """The API server of one context. Open it with `async with`."""

    def __init__(
        self,
        contexts: config.Contexts,
        context: config.ContextInfo,
        limits: Limits,
        source: Source = credentials.load,
        identity: Identity | None = None,
    ) -> None:
        """`identity` is whom `source` loads the credentials of, or None for the context's own user."""
        self.contexts = contexts
        self.context = context
        self.identity = identity
        self.limits = limits
        self._connection = Connection(contexts, context, limits, source)
        self.unserved_at = float("-inf")
        """When a kind that was known turned out not to be served (monotonic seconds): what was read before is stale."""
        self._kept: dict[Any, Any] = {}
        self.cluster_scoped: frozenset[tuple[str, str]] = frozenset()
        """Group and plural of the kinds that have no namespace, once they were read."""

    def kept(self, kind: Callable[["KubeApi"], Kept]) -> Kept:
        """What is known through these requests, and so to this identity alone: one of each class, made at first use."""
        if kind not in self._kept:
            self._kept[kind] = kind(self)
        found: Kept = self._kept[kind]
        return found

    @property
    def who(self) -> str:
        """The identity in words, for hints: never a credential."""
        if self.identity is not None:
            return f"{self.identity.user or 'the caller'} (context {self.context.name})"
        acting = f" as {self.context.acts_as}" if self.context.acts_as else ""
        return f"{self.context.user or 'this server'}{acting} (context {self.context.name})"

    def explain(self, status: int, content: bytes) -> StatusFailure:
        """The failure behind an error answer to one of these requests."""
        passed_on = self.identity is not None and self.identity.bearer
        renew = "the header with the caller's token" if passed_on else "KUBECONFIG"
        return from_response(status, content, self.who, renew)

    async def close(self) -> None:
        await self._connection.close()

    async def load_credentials(self) -> Credentials:
        """The credentials of these requests, for a program that acts on our behalf."""
        return await self._connection.load()

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> Any:
        return await self.send("GET", path, query, accept=accept)

    async def find(self, path: str, query: Query = (), accept: str = JSON) -> Any:
        """As `get`; None where the API server says that there is no such object or no such API (404)."""
        try:
            return await self.get(path, query, accept)
        except StatusFailure as failure:
            if failure.http_status == 404:
                return None
            raise

    async def send(
        self, method: str, path: str, query: Query = (), body: Any = None, content_type: str = JSON, accept: str = JSON
    ) -> Any:
        """The answer as data. `body` is sent as JSON under `content_type`."""
        if "/secrets" in path:
            secret_values.withhold(body)
        content = await self.raw(method, path, query, body, content_type, accept)
        answer = await _parse(content, path)
        shapes.check(answer, path)
        answers.remember(BACKEND, f"{method} {path}", answer, shapes.broken, len(content))
        secret_values.learn(answer)
        if ("dryRun", "All") not in query:  # what a rehearsal makes has a uid that nobody will ever see again
            touched.note(answer)
        return answer

    async def raw(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        largest: int = LARGEST_ANSWER,
    ) -> bytes:
        """The answer as bytes. What may change something is judged first, see `request_effects`."""
        request = KubeRequest(method, path, query, body, content_type)
        await request_effects.judge_before(self, request)
        content = await self.unjudged(method, path, query, body, content_type, accept, largest)
        await request_effects.judge_after(self, request, content)
        return content

    async def unjudged(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        largest: int = LARGEST_ANSWER,
    ) -> bytes:
        """For the judge alone: the answer as bytes.

        Refused credentials are loaded again once (a rotated token, an exec plugin).
        """
        status, content, used = await self._exchange(method, path, query, body, content_type, accept, largest)
        # Once only: an exec plugin may ask somebody to sign in, and a second refusal is final.
        if status == 401 and not used.passed_on:
            await self._connection.renew(used)
            status, content, _ = await self._exchange(method, path, query, body, content_type, accept, largest)
        if status >= 400:
            failure = self.explain(status, content)
            gone = unserved(status, path, failure)
            if gone:
                self.unserved_at = time.monotonic()
            raise gone or failure
        used.confirmed()
        return content

    async def read_unjudged(self, path: str, query: Query = ()) -> Any:
        """For the judge alone: what is read, as data."""
        found = await _parse(await self.unjudged("GET", path, query), path)
        touched.note(found)
        return found

    async def fetch_answer(
        self, path: str, query: Query = (), most: int = 1 << 16, *, verdict: Verdict
    ) -> tuple[int, bytes]:
        """Status and first bytes of a GET, whatever the status: for proxied Services, whose errors are their own.

        The caller limits the time, and knows what the request does to the Service (`verdict`).
        """
        request_effects.reach(self, path, verdict.effect)
        judging.allow(verdict)
        session, headers, _ = await self._connection.open()
        url, timeout = self._url(path, query), aiohttp.ClientTimeout(connect=self.limits.connect)
        try:
            # A proxied Service may redirect anywhere: following it would leave the proxy.
            with _traced("GET", path, url) as exchange:
                headers.update(exchange.headers)
                async with session.get(url, headers=headers, allow_redirects=False, timeout=timeout) as response:
                    exchange.answered(response.status)
                    content = b""
                    async for chunk in response.content.iter_chunked(most):
                        content += chunk
                        if len(content) >= most:
                            break
                    return response.status, content[:most]
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from None

    async def open_websocket(
        self, path: str, query: Query, protocols: Sequence[str], verdict: Verdict
    ) -> aiohttp.ClientWebSocketResponse:
        """A stream to a pod; the caller knows what goes through it (`verdict`)."""
        request_effects.reach(self, path, verdict.effect)
        judging.allow(verdict)
        session, headers, _ = await self._connection.open()
        try:
            url = self._url(path, query)
            with _traced("GET", path, url) as exchange:
                headers.update(exchange.headers)
                try:
                    stream = await session.ws_connect(
                        url, protocols=protocols, headers=headers, max_msg_size=LARGEST_ANSWER
                    )
                except aiohttp.WSServerHandshakeError as error:
                    refused = error
                    exchange.answered(error.status)
                else:
                    exchange.answered(_SWITCHED)
                    return stream
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from None
        # aiohttp drops the body of a failed handshake: the same request without upgrade gets the server's message.
        await self._explain(refused, path, query)
        raise unavailable(f"the API server refused the stream: HTTP {refused.status}", backend=BACKEND)

    async def _explain(self, error: aiohttp.WSServerHandshakeError, path: str, query: Query) -> None:
        status, content, _ = await self._exchange("GET", path, query, None, JSON, JSON, 1 << 20)
        if error.status >= 400:
            # A GET may succeed or fail in another way: then its body is not the reason.
            raise self.explain(error.status, content if status == error.status else error.message.encode())

    async def _exchange(
        self, method: str, path: str, query: Query, body: Any, content_type: str, accept: str, largest: int
    ) -> tuple[int, bytes, Any]:
        session, headers, used = await self._connection.open()
        headers["Accept"] = accept
        data: bytes | io.BytesIO | None = None
        if body is not None:
            data, headers["Content-Type"] = _written(body), content_type
        url = self._url(path, query)
        try:
            with _traced(method, path, url) as exchange:
                headers.update(exchange.headers)
                async with session.request(method, url, data=data, headers=headers) as response:
                    exchange.answered(response.status)
                    for header in response.headers.getall("Warning", []):
                        _hear(header)
                    return response.status, await _read(response, largest), used
        except TimeoutError:
            raise timed_out(
                f"the API server at {self.context.server} did not answer within {self.limits.request:.0f} s",
                "try again, or ask for less",
                backend=BACKEND,
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: BaseException) -> ToolFailure:
        cause = getattr(error, "os_error", None) or error
        number = getattr(cause, "errno", None)
        detail = os.strerror(number) if isinstance(number, int) and number > 0 else str(cause) or type(error).__name__
        hint = f"check that the cluster of context {self.context.name!r} is up and that KUBECONFIG names it"
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            hint = "this server's certificate is not signed by the certificate authority of the kubeconfig"
        return unavailable(f"cannot reach the API server at {self.context.server}: {detail}", hint, backend=BACKEND)

    def _url(self, path: str, query: Query) -> URL:
        # Addresses of schemas come from the server: without the slash one could name another host (`@evil.example`).
        if not path.startswith("/"):
            raise unavailable(f"the API server named an address that is no path: {path[:80]!r}", backend=BACKEND)
        # Already encoded by Kind.path and its like: encoding it again would change a `%2F` in a name. What no path may
        # hold is encoded here, whoever forgot it: raw, it would end the path or the whole request.
        base = URL(self.context.server.rstrip("/") + quote(path, safe=_OF_PATHS), encoded=True)
        return base.with_query(list(query)) if query else base


def _traced(method: str, path: str, url: URL) -> AbstractContextManager[Exchange]:
    return backend_requests.request(Target(BACKEND, routes.kubernetes(path)), method, url.host, url.port)


def _hear(header: str) -> None:
    """Keep the API server's warnings: deprecated versions, unknown fields, settings without effect."""
    for text in _WARNING.findall(header):
        warnings.hear(text.replace('\\"', '"').replace("\\\\", "\\"))


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    parts: list[bytes] = []
    length = 0
    async for chunk in response.content.iter_chunked(_READ_CHUNK):
        parts.append(chunk)
        length += len(chunk)
        if length > largest:
            raise too_large(
                f"the answer is larger than {largest >> 20} MiB", "ask for less: a selector, a name, a limit"
            )
    return b"".join(parts)


def _written(body: Any) -> bytes | io.BytesIO:
    """As JSON; what is large as a file, which aiohttp sends in pieces and not in one step."""
    data = json.dumps(body).encode()
    return data if len(data) < _LARGE_BODY else io.BytesIO(data)


async def _parse(content: bytes, path: str) -> Any:
    try:
        return await worker.read_json(content)
    except ValueError:
        raise unavailable(
            f"the server answered {path} with something that is not JSON: {content[:80].decode(errors='replace')!r}",
            "check that this address is a Kubernetes API server",
            backend=BACKEND,
        ) from None
