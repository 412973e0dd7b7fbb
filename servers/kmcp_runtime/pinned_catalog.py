"""A catalog behind an address of the configuration: bounded in size and time, and held to the pin of its content."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

import httpx2

from kmcp_runtime import urls
from kmcp_runtime.errors import denied, not_found, unavailable
from kmcp_runtime.web import PLAIN, Answer, Timeouts, Web

LARGEST_BYTES = 4 * 2**20
SCHEMES = ("http://", "https://")
TIMEOUTS = Timeouts(connect=5, read=10, whole=20)
MOST_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
_PIN = re.compile(r"sha256=([0-9a-f]{64})")


class PinError(ValueError):
    """The content is another one than the pin names."""


@dataclass(frozen=True)
class Fetched:
    """A catalog as it was sent; `manifest` is that of an artifact, which leads from the pin to the text."""

    text: str
    manifest: str = ""


class Pinned(Protocol):
    """Where a catalog is, and what it must be."""

    @property
    def name(self) -> str:
        """As it is written in settings and told in logs."""
        ...

    async def fetch(self) -> Fetched:
        """Errors: PinError, ToolFailure, ValueError for what is not UTF-8."""
        ...

    def vouches_for(self, kept: Fetched) -> bool:
        """Whether what was fetched earlier is what the pin names now."""
        ...


@dataclass(frozen=True)
class PinnedURL:
    url: str
    sha256: str  # 64 hexadecimal digits, of the content as it is sent

    @property
    def name(self) -> str:
        return self.url

    async def fetch(self) -> Fetched:
        return Fetched(await fetch(self))

    def vouches_for(self, kept: Fetched) -> bool:
        return hashlib.sha256(kept.text.encode()).hexdigest() == self.sha256


def is_address(source: str) -> bool:
    return source.lower().startswith(SCHEMES)


def parse(source: str) -> PinnedURL:
    """`URL#sha256=<64 hexadecimal digits>`. Errors: ValueError."""
    address, _, fragment = source.partition("#")
    try:
        urls.split(address, ("https", "http"))
        url = httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError) as error:
        # Where it may hold a password, nothing of it is shown.
        shown = "the address of a catalog" if "@" in address else repr(address)
        raise ValueError(f"{shown} is not an address: {error}; write https://HOST/PATH#sha256=DIGEST") from None
    if url.userinfo:
        raise ValueError(f"the address of a catalog at {url.host} contains credentials; leave user and password out")
    if url.scheme != "https" and not urls.is_loopback(url.host):
        raise ValueError(f"{address}: only https is read, and http from this machine alone")
    pin = _PIN.fullmatch(fragment)
    if not pin:
        raise ValueError(
            f"{address} has no pin: write {address}#sha256=DIGEST, with the 64 digits that sha256sum prints for the "
            "file as you have read it"
        )
    return PinnedURL(str(url), pin[1])


async def fetch(source: PinnedURL) -> str:
    """The text of the catalog. Errors: PinError, ToolFailure, ValueError for what is not UTF-8."""
    async with Web(TIMEOUTS) as web:
        content = await _read(web, httpx2.URL(source.url))
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise PinError(
            f"{source.url} has the sha256 {found}, and its pin is {source.sha256}; read what has changed, and pin the "
            "new digest if it is wanted"
        )
    return content.decode()


async def _read(web: Web, url: httpx2.URL) -> bytes:
    for _ in range(MOST_REDIRECTS + 1):
        answer = await web.send("GET", url, headers=PLAIN, largest_bytes=LARGEST_BYTES, unpack=False)
        if answer.status not in REDIRECTS:
            return _content(answer, url)
        url = _following(url, answer)
    raise denied(f"{url.host} redirects more than {MOST_REDIRECTS} times", "give the final address")


def redirected(url: httpx2.URL, answer: Answer) -> httpx2.URL:
    """Where a redirect leads. Errors: `unavailable`, `denied`."""
    try:
        found = url.join(answer.headers.get("location", ""))
    except httpx2.InvalidURL:
        raise unavailable(f"{url.host} redirects to an address that is not valid", backend=url.host) from None
    if found.userinfo:
        raise denied(f"{url.host} redirects to an address with credentials", "give the final address")
    return found


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _following(url: httpx2.URL, answer: Answer) -> httpx2.URL:
    following = redirected(url, answer)
    if origin(following) != origin(url):
        place = f"{following.scheme}://{following.host}"
        raise denied(f"{url.host} redirects to {place}, which is not followed", "give the final address")
    return following


def _content(answer: Answer, url: httpx2.URL) -> bytes:
    if answer.status in (404, 410):
        raise not_found(f"{url} does not exist (HTTP {answer.status})", "correct the address", backend=url.host)
    if answer.status != 200:
        raise unavailable(f"{url} answered HTTP {answer.status}", backend=url.host)
    return answer.content
