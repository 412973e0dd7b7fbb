"""Connections to one API server with the context's credentials, which can be renewed while requests are in progress."""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiohttp
from multidict import CIMultiDict

from kmcp_runtime.kube import config, credentials
from kmcp_runtime.kube.credentials import Credentials, Source
from kmcp_runtime.kube.tls import tls
from kmcp_runtime.worker import run_in_thread


@dataclass(frozen=True)
class Limits:
    """Seconds for one request and to connect; connections kept to a server."""

    request: float = 30.0
    connect: float = 10.0
    pool: int = 32


class Connection:
    """A pool of connections, made at first use."""

    def __init__(
        self,
        contexts: config.Contexts,
        context: config.ContextInfo,
        limits: Limits,
        source: Source = credentials.load,
    ) -> None:
        self._source = source
        self.contexts = contexts
        self.context = context
        self.limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._credentials: Credentials | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self._changing = asyncio.Lock()

    async def open(self) -> tuple[aiohttp.ClientSession, CIMultiDict[str], Credentials]:
        """The pool, the headers of a request, and the credentials that these come from."""
        async with self._changing:
            if self._session is None or self._credentials is None:
                self._credentials = await self._source(self.contexts, self.context)
                self._session = await self._pool(self._credentials)
            elif self._credentials.is_expired():
                await self._reload(self._session, self._credentials)
            session, used = self._session, self._credentials
        # Outside the lock and for each request: a token from a file is read again when it is rotated.
        return session, CIMultiDict([*used.headers(), ("User-Agent", "kmcp-suite")]), used

    async def load(self) -> Credentials:
        """The credentials once more, for a program that acts on our behalf: they must last as long as it runs."""
        return await self._source(self.contexts, self.context)

    async def renew(self, refused: Credentials) -> None:
        """Load the credentials again, once for all requests whose credentials were refused together."""
        async with self._changing:
            # Another request has renewed them meanwhile.
            if self._session is not None and refused is self._credentials:
                await self._reload(self._session, refused)

    async def close(self) -> None:
        for session in [*self._retired, *([self._session] if self._session else [])]:
            await session.close()
        self._retired, self._session = [], None

    async def _reload(self, session: aiohttp.ClientSession, old: Credentials) -> None:
        self._credentials = await self._source(self.contexts, self.context)
        if old.identity() != self._credentials.identity():
            # Requests in progress still use the old pool; it is closed with the connection.
            self._retired.append(session)
            self._session = await self._pool(self._credentials)

    async def _pool(self, used: Credentials) -> aiohttp.ClientSession:
        # In a thread: the authorities of a machine are hundreds, read from files.
        context = await run_in_thread(tls, used)
        socks = used.proxy is not None and urlsplit(used.proxy).scheme == "socks5"
        return aiohttp.ClientSession(
            connector=self._through_socks(used, context)
            if socks
            else aiohttp.TCPConnector(limit=self.limits.pool, ssl=context),
            timeout=aiohttp.ClientTimeout(total=self.limits.request, connect=self.limits.connect),
            # No state between requests: a cookie of a load balancer must not stick to another call.
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=None if socks else used.proxy,
            read_bufsize=1 << 20,
        )

    def _through_socks(self, used: Credentials, context: ssl.SSLContext) -> aiohttp.BaseConnector:
        # Imported here: few clusters are behind one.
        from aiohttp_socks import ProxyConnector, ProxyType

        url = urlsplit(used.proxy or "")
        found: aiohttp.BaseConnector = ProxyConnector(
            proxy_type=ProxyType.SOCKS5,
            host=str(url.hostname),
            port=url.port or 1080,
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            # The proxy looks the name up, as for client-go: this machine may not know it.
            rdns=True,
            limit=self.limits.pool,
            ssl=context,
        )
        return found
