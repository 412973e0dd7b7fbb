"""Connections to one API server with the context's credentials, which can be renewed while requests are in progress."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from kmcp_runtime.kube import config
from kmcp_runtime.worker import run_in_thread

Source = Callable[[config.Contexts, config.ContextInfo], Awaitable[Any]]
"""Loads a context's credentials: `config.load_credentials`, or `credentials.native` without the official client."""


@dataclass(frozen=True)
class Limits:
    """Seconds for one request and to connect; connections kept to a server."""

    request: float = 30.0
    connect: float = 10.0
    pool: int = 32


class Connection:
    """A pool of connections, made at first use."""

    def __init__(self, contexts: config.Contexts, context: config.ContextInfo, limits: Limits, source: Source) -> None:
        self._source = source
        self.contexts = contexts
        self.context = context
        self.limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._configuration: Any = None
        self._retired: list[aiohttp.ClientSession] = []
        self._changing = asyncio.Lock()

    async def open(self) -> tuple[aiohttp.ClientSession, dict[str, str], Any]:
        """The pool, the headers of a request, and the credentials that these come from."""
        async with self._changing:
            if self._session is None:
                self._configuration = await self._source(self.contexts, self.context)
                self._session = await self._pool()
            session, configuration = self._session, self._configuration
        # Outside the lock and for each request: a token from a file is read again when it is rotated.
        settings = await configuration.auth_settings()
        headers = {entry["key"]: entry["value"] for entry in settings.values() if entry.get("in") == "header"}
        return (
            session,
            {key: value for key, value in headers.items() if value} | {"User-Agent": "kmcp-suite"},
            configuration,
        )

    async def renew(self, refused: Any) -> None:
        """Load the credentials again, once for all requests whose credentials were refused together."""
        async with self._changing:
            # Another request has renewed them meanwhile.
            if self._session is None or refused is not self._configuration:
                return
            self._configuration = await self._source(self.contexts, self.context)
            if _identity(refused) != _identity(self._configuration):
                # Requests in progress still use the old pool; it is closed with the connection.
                self._retired.append(self._session)
                self._session = await self._pool()

    async def close(self) -> None:
        for session in [*self._retired, *([self._session] if self._session else [])]:
            await session.close()
        self._retired, self._session = [], None

    async def _pool(self) -> aiohttp.ClientSession:
        # Certificates of authorities are read from files, hundreds of them by default.
        tls = await run_in_thread(config.tls, self._configuration)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.limits.pool, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=self.limits.request, connect=self.limits.connect),
            # No state between requests: a cookie of a load balancer must not stick to another call.
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._configuration.proxy or None,
            read_bufsize=1 << 20,
        )


def _identity(configuration: Any) -> tuple[Any, ...]:
    """What a pool is bound to: its certificates; tokens go with each request."""
    return configuration.cert_file, configuration.key_file, configuration.ssl_ca_cert, configuration.ca_cert_data
