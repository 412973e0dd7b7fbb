"""Charts and indexes over HTTP: each hop of a redirect is held to the configuration, as the first URL is.

The helm binary follows redirects by itself, also to private hosts. So it is given files, and what it would fetch is
fetched here.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from pydantic import SecretStr

from kmcp_runtime.errors import denied, not_found, unavailable
from kmcp_runtime.helm.origins import Origin, Origins, Reach
from kmcp_runtime.upstream.access import Access, SetIn
from kmcp_runtime.web import Answer, Timeouts, Web

MOST_REDIRECTS = 5
LARGEST = 64 * 1024 * 1024
"""Bytes of an index or an archive."""
_TIMEOUTS = Timeouts(connect=10.0, read=30.0, whole=120.0)
_REDIRECTS = (301, 302, 303, 307, 308)
_SET_IN = SetIn(
    url="KMCP_HELM_REPOSITORIES",
    credentials="username and password in KMCP_HELM_REPOSITORIES",
    tls="caFile, certFile and keyFile in KMCP_HELM_REPOSITORIES",
    timeout="nothing",
)


@dataclass(frozen=True)
class Login:
    """Who we are at one origin, and whom we trust there."""

    access: Access
    everywhere: bool = False
    """As `pass_credentials_all` of a repository: also at the hosts that its index names."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Login":
        """Of an entry of a repositories.yaml."""
        access = Access(
            url=str(entry.get("url", "")),
            set_in=_SET_IN,
            username=str(entry.get("username") or ""),
            password=SecretStr(str(entry["password"])) if entry.get("password") else None,
            ca_file=str(entry.get("caFile") or ""),
            cert_file=str(entry.get("certFile") or ""),
            key_file=str(entry.get("keyFile") or ""),
            insecure=bool(entry.get("insecure_skip_tls_verify")),
        )
        return cls(access, bool(entry.get("pass_credentials_all")))

    def headers_at(self, url: str) -> dict[str, str]:
        at_home = Origin.of(urlsplit(url)) == Origin.of(urlsplit(self.access.url))
        return self.access.authorization() if at_home or self.everywhere else {}


_NOBODY = Login(Access(url="https://nobody.invalid", set_in=_SET_IN))


@dataclass(frozen=True)
class Fetcher:
    """Fetches what the configuration allows."""

    origins: Origins

    async def fetch(self, url: str, argument: str, login: Login | None = None, accept: str = "*/*") -> bytes:
        """What is behind a URL. Errors: as `Origins.admit`, `not_found`, `unavailable`, `too_large`, `timed_out`."""
        answer = await self.get(url, argument, login, {"Accept": accept})
        place = _shown(url)
        if answer.status in (404, 410):
            raise not_found(f"failed to fetch {place} : {answer.status}", "check the name and the version")
        if answer.status in (401, 403):
            raise unavailable(f"{place} asks for a login: {answer.status}", f"set {_SET_IN.credentials}")
        if answer.status != 200:
            raise unavailable(f"{place} answered HTTP {answer.status}", "check that the host of the chart answers")
        return answer.content

    async def get(
        self,
        url: str,
        argument: str,
        login: Login | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """The answer at the end of the redirects, whatever its status; every hop is admitted before it is asked."""
        first = Origin.of(urlsplit(url))
        for hop in range(MOST_REDIRECTS + 1):
            reach = await self._admit(url, argument, hop)
            own = headers if Origin.of(urlsplit(url)) == first else _without_login(headers)
            answer = await self._send(url, reach, {**own, **(login.headers_at(url) if login else {})}, login)
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            try:
                url = urljoin(url, location)
            except ValueError:
                text = f"{argument}: {_shown(url)} redirects to what is not an address"
                raise unavailable(text, "give the final address, or ask who serves it") from None
        raise denied(f"{argument}: {urlsplit(url).hostname} redirects more than {MOST_REDIRECTS} times")

    async def _admit(self, url: str, argument: str, hop: int) -> Reach:
        return await self.origins.admit(url, f"{argument}: a redirect leads to {_shown(url)}" if hop else argument)

    async def _send(self, url: str, reach: Reach, headers: Mapping[str, str], login: Login | None) -> Answer:
        # Reading the trusted authorities takes a while: beside the loop, and not for an address without TLS.
        needs_tls = urlsplit(url).scheme == "https"
        tls = await asyncio.to_thread((login or _NOBODY).access.tls) if needs_tls else None
        async with Web(_TIMEOUTS, tls=lambda: tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as web:
            return await _ask(web, url, reach, headers)


async def _ask(web: Web, url: str, reach: Reach, headers: Mapping[str, str]) -> Answer:
    if reach.addresses is None:
        # With its port, since a person configured exactly this origin.
        place = urlsplit(url).netloc
        return await web.send("GET", url, largest_bytes=LARGEST, shown_as=place, headers=dict(headers))
    return await web.send_to_one_of(url, reach.addresses, LARGEST, headers)


def _without_login(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _shown(url: str) -> str:
    """The URL without its query, which may carry a signature."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
