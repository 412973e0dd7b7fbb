"""HTTP to third parties: one client a server, answers bounded while they arrive, failures as `ToolFailure`.

`send` talks to a backend that the configuration names. `fetch_text` reads an address that a caller names and trusts
nothing of it: https only, the host on an allowlist, no redirect to another host, and the connection goes to exactly the
address that was checked, so that a name that resolves anew cannot lead inside.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Self

import httpx2

from kmcp_runtime.errors import ToolFailure, bad_argument, denied, not_found, timed_out, too_large, unavailable
from kmcp_runtime.tracing import backend_requests
from kmcp_runtime.tracing.backend_requests import ELSEWHERE, Target

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, in the order to try them."""
LARGEST_ANSWER = 32 * 1024 * 1024
MOST_REDIRECTS = 3
PLAIN = MappingProxyType({"Accept-Encoding": "identity", "User-Agent": "kmcp-suite"})
"""Headers of a request whose answer is not packed: a few bytes can unfold to more than there is memory."""
_HTTPS_PORT = 443
_REDIRECTS = (301, 302, 303, 307, 308)
# Public by number, yet served by the cloud to its own machines: Azure's and Alibaba's metadata.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200")})
# Translation prefixes that carry an IPv4 address in their last 32 bits.
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
# All of it is for protocols; some Python versions think that only its first addresses are.
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


Trouble = Literal["address", "refused", "name", "certificate", "cut", "network"]
"""Why there is no answer: the address is none, nobody listens, the host is unknown, …"""


class Unreachable(ToolFailure):
    """No answer, or only the beginning of one."""

    def __init__(self, trouble: Trouble, message: str, *, backend: str | None = None) -> None:
        super().__init__("unavailable", message, backend=backend)
        self.trouble = trouble


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, to wait for each part of an answer, and for the whole of it."""

    connect: float = 5.0
    read: float = 10.0
    whole: float = 30.0


@dataclass(frozen=True)
class Answer:
    """An answer whatever its status, its body whole and decoded."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


async def system_resolver(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Web:
    """The client. Open it with `async with`; `transport` and `resolve` are what tests put in place of the network.

    `tls` makes what verifies servers and proves who this client is; by default the public authorities are trusted.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        resolve: Resolve = system_resolver,
        connections: int = 32,
        tls: Callable[[], ssl.SSLContext] = httpx2.create_ssl_context,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._tls = tls
        self._resolve = resolve
        self._transport = transport
        self._connections = connections
        self._opened: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None

    @property
    def _client(self) -> httpx2.AsyncClient:
        """Made at first use: loading the trusted authorities takes a while that most processes need not spend."""
        if self._opened is None:
            self._opened = httpx2.AsyncClient(
                transport=self._transport,
                verify=self._tls() if self._transport is None else True,
                timeout=httpx2.Timeout(self.timeouts.read, connect=self.timeouts.connect),
                limits=httpx2.Limits(max_connections=self._connections),
                trust_env=False,  # No proxy of the environment: it would resolve the name again, out of our sight.
            )
        return self._opened

    async def send(
        self,
        method: str,
        url: str | httpx2.URL,
        *,
        largest_bytes: int = LARGEST_ANSWER,
        shown_as: str | None = None,
        timeouts: Timeouts | None = None,
        target: Target = ELSEWHERE,
        unpack: bool = True,
        **request: Any,
    ) -> Answer:
        """One request; what httpx2 takes (`headers`, `params`, `json`, `data`, `extensions`) is passed on.

        Errors: `Unreachable`, `timed_out`, `too_large`. `shown_as` is what they call the place; `timeouts` replace
        those of the client, `target` is what the request is called in traces and metrics. `unpack`: as false the body
        is as it was sent, whatever its encoding.
        """
        place = shown_as or httpx2.URL(url).host
        limits = timeouts or self.timeouts
        if timeouts is not None:
            request["timeout"] = httpx2.Timeout(limits.read, connect=limits.connect)
        try:
            async with asyncio.timeout(limits.whole):
                reading = _Reading(largest_bytes, place, unpack)
                return await self._exchange(method, httpx2.URL(url), reading, target, request)
        except (httpx2.ConnectTimeout, httpx2.PoolTimeout):
            told = f"cannot reach {place}: no connection within {limits.connect:.0f} s"
            raise Unreachable("network", told, backend=place) from None
        except (TimeoutError, httpx2.TimeoutException):
            seconds = f"{limits.whole:.0f} s"
            raise timed_out(f"{place} did not answer within {seconds}", "try again", backend=place) from None
        except httpx2.InvalidURL as error:
            # Only what a caller sent makes an address of ours longer than any server reads.
            raise bad_argument(f"no address can be made of this: {error}", "send shorter arguments") from None
        except httpx2.RequestError as error:
            raise _unreachable(error, place) from None

    async def _exchange(
        self, method: str, url: httpx2.URL, reading: "_Reading", target: Target, request: dict[str, Any]
    ) -> Answer:
        with backend_requests.request(target, method, url.host, url.port) as exchange:
            if exchange.headers:
                request["headers"] = [*httpx2.Headers(request.get("headers")).multi_items(), *exchange.headers.items()]
            async with self._client.stream(method, url, follow_redirects=False, **request) as response:
                content = await reading.read(response)
                exchange.answered(response.status_code)
                return Answer(response.status_code, response.headers, content)

    async def fetch_text(
        self, url: str, allowed_hosts: Iterable[str], largest_bytes: int, *, setting: str = "the allowlist"
    ) -> str:
        """The text behind a URL of an allowed host (`name`, or `name:port` for a port other than 443).

        Errors: `bad_argument` (no URL, no text), `denied` (scheme, host, address, redirect), `not_found`, `too_large`,
        `timed_out`, `unavailable`. `setting` names the allowlist's setting in hints.
        """
        allowed = {host.strip().rstrip(".").lower() for host in allowed_hosts}
        target = _checked(url, allowed, setting)
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self.send_to_one_of(target, await self._addresses(target), largest_bytes)
            if answer.status not in _REDIRECTS:
                return _text(answer, target)
            target = _redirected(target, answer.headers.get("location", ""), allowed, setting)
        raise denied(f"{target.host} redirects more than {MOST_REDIRECTS} times", "give the final address")

    async def send_to_one_of(
        self,
        url: str | httpx2.URL,
        addresses: Sequence[str],
        largest_bytes: int,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """A GET at the first of these addresses of the URL's host that can be reached; there must be one at least."""
        failure: ToolFailure | None = None
        for address in addresses:
            try:
                return await self.send_to(url, address, largest_bytes, headers=headers)
            except ToolFailure as caught:
                if caught.code != "unavailable":
                    raise
                failure = caught  # The next address of the same host may answer.
        assert failure is not None
        raise failure

    async def send_to(
        self,
        url: str | httpx2.URL,
        address: str,
        largest_bytes: int,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        timeouts: Timeouts | None = None,
    ) -> Answer:
        """A GET of the URL at this very address, while certificate and Host stay those of the name."""
        target = httpx2.URL(url)
        # The pool knows connections by address: one that was made for another name must not be used for this one.
        own = {"Host": target.netloc.decode("ascii"), "Connection": "close"}
        return await self.send(
            "GET",
            target.copy_with(host=address),
            largest_bytes=largest_bytes,
            shown_as=target.host,
            timeouts=timeouts,
            headers={**PLAIN, **headers, **own},
            extensions={"sni_hostname": target.raw_host.decode("ascii")},
        )

    async def _addresses(self, target: httpx2.URL) -> Sequence[str]:
        host = target.raw_host.decode("ascii")
        try:
            async with asyncio.timeout(self.timeouts.connect):
                found = await self._resolve(host, target.port or _HTTPS_PORT)
        except (OSError, TimeoutError) as error:
            raise unavailable(
                f"the name {host} cannot be resolved: {error or 'no answer'}", "check the host name"
            ) from None
        if not found:
            raise unavailable(f"the name {host} has no address", "check the host name")
        for address in found:
            if not is_public(address):
                raise denied(
                    f"{host} resolves to {address}, which is not a public address",
                    "only public addresses are read: give the content itself instead",
                )
        return found


def _unreachable(error: httpx2.RequestError, place: str) -> Unreachable:
    trouble, cause = _trouble(error)
    what = f"{place} answered only half" if trouble == "cut" else f"cannot reach {place}"
    return Unreachable(trouble, f"{what}: {cause}", backend=place)


def _trouble(error: httpx2.RequestError) -> tuple[Trouble, str]:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate", f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "certificate", f"no TLS connection: {cause.reason or cause}"
        if isinstance(cause, socket.gaierror):
            return "name", f"the host name is unknown ({cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "refused", "connection refused, nothing listens there"
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return "address", str(error)
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.DecodingError | httpx2.ReadError):
        return "cut", str(error) or "the connection ended"
    return "network", str(error) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised for, and so on; groups are entered, since a host may have several addresses."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes(member)
    yield error
    following = error.__cause__ or error.__context__
    if following is not None:
        yield from _causes(following)


def is_public(address: str) -> bool:
    """False for private, loopback, link-local, multicast, reserved and metadata addresses, embedded ones too."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(candidate) for candidate in _meant(found))


def _is_public(address: Address) -> bool:
    if address.is_multicast or address.is_reserved or address in _METADATA or address in _PROTOCOLS:
        return False
    return address.is_global


def _meant(address: Address) -> list[Address]:
    """The address, or the IPv4 addresses that an IPv6 one carries and leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if any(address in network for network in _TRANSLATED):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [found for found in carried if found is not None] or [address]


def _checked(url: str, allowed: set[str], setting: str) -> httpx2.URL:
    try:
        target = httpx2.URL(url.strip())
    except (httpx2.InvalidURL, ValueError) as error:
        raise bad_argument(f"url: {error}", "give https://host/path") from None
    if not target.host:
        raise bad_argument(f"url: {url!r} has no host", "give https://host/path")
    if target.scheme != "https":
        raise denied(
            f"url: only https is supported, not {target.scheme or 'a relative address'}", "give https://host/path"
        )
    if target.userinfo:
        raise denied("url: it contains credentials", "leave user and password out")
    name = target.raw_host.decode("ascii").strip("[]").rstrip(".").lower()
    place = name if target.port in (None, _HTTPS_PORT) else f"{name}:{target.port}"
    if place not in allowed:
        known = ", ".join(sorted(allowed)) or "none"
        raise denied(
            f"url: {place} is not among the hosts that may be read ({known})", f"{setting} lists the allowed hosts"
        )
    return target.copy_with(fragment=None)


def _redirected(target: httpx2.URL, location: str, allowed: set[str], setting: str) -> httpx2.URL:
    try:
        following = target.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise unavailable(f"{target.host} redirects to an address that is not valid") from None
    if (following.host, following.port) != (target.host, target.port):
        raise denied(
            f"{target.host} redirects to another host, {following.host}", "give the final address, if it is allowed"
        )
    return _checked(str(following), allowed, setting)


@dataclass(frozen=True)
class _Reading:
    """How an answer is read: at most `largest` bytes."""

    largest: int
    place: str
    unpack: bool

    async def read(self, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        length = 0
        async for chunk in response.aiter_bytes() if self.unpack else response.aiter_raw():
            length += len(chunk)
            if length > self.largest:
                raise too_large(f"the answer of {self.place} is larger than {_size(self.largest)}", "ask for less")
            parts.append(chunk)
        return b"".join(parts)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def _text(answer: Answer, target: httpx2.URL) -> str:
    place = f"{target.host}{target.path}"
    if answer.status in (404, 410):
        raise not_found(f"{place} does not exist (HTTP {answer.status})", "check the path", backend=target.host)
    if answer.status != 200:
        raise unavailable(f"{place} answered HTTP {answer.status}", backend=target.host)
    try:
        return answer.content.decode()
    except UnicodeDecodeError:
        raise bad_argument(f"url: {place} is not UTF-8 text", "give the address of the plain file") from None
