"""The pages of a site, as its sitemap lists them; what has not changed is not read again."""

import asyncio
import fnmatch
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit
from xml.etree import ElementTree

from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Kept, Page, Skipped, Workshop
from kmcp_runtime import ToolFailure, bad_argument, unavailable, urls
from kmcp_runtime.web import Answer

MOST_PAGES = 20_000
AT_ONCE = 4
"""Requests to a site at the same time: enough to be quick, few enough to be no burden."""
_LARGEST = 8 * 1024 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 4
_AGENT = {"User-Agent": "kmcp-suite (documentation index)"}


@dataclass(frozen=True)
class _Entry:
    url: str
    changed: str


async def read_pages(
    source: Source, workshop: Workshop, known: Mapping[str, str]
) -> AsyncIterator[Page | Kept | Skipped]:
    """Every page below the sitemap; `known` are the stamps of what is indexed, by path."""
    assert source.sitemap is not None
    start = _checked(source, source.sitemap)
    entries = [entry async for entry in _read_entries(source, workshop, source.sitemap, 0)]
    wanted = list({entry.url: entry for entry in entries if _wanted(source, start, entry.url)}.values())
    if not wanted:
        raise unavailable(f"{source.title}: the sitemap lists no page that matches", "check `under` and `exclude`")
    for number in range(0, len(wanted[:MOST_PAGES]), AT_ONCE):
        batch = wanted[number : number + AT_ONCE]
        for found in await asyncio.gather(*(_fetch_page(source, workshop, entry, known) for entry in batch)):
            yield found


def _checked(source: Source, url: str) -> SplitResult:
    try:
        return urls.split(url, ("https", "http"))
    except ValueError as error:
        text = f"{source.title}: sitemap: {url!r} is not a web address: {error}"
        raise bad_argument(text, "give https://host/sitemap.xml") from None


def _wanted(source: Source, start: SplitResult, url: str) -> bool:
    """Of the same site, below the wanted paths: a sitemap may name any address, and only the site itself is asked."""
    try:
        target = urlsplit(url)
    except ValueError:
        return False
    if (target.scheme, target.netloc) != (start.scheme, start.netloc):
        return False
    below = not source.under or any(target.path.startswith(f"/{part.strip('/')}") for part in source.under)
    return below and not any(fnmatch.fnmatch(target.path, pattern) for pattern in source.exclude)


async def _read_entries(source: Source, workshop: Workshop, url: str, depth: int) -> AsyncIterator[_Entry]:
    answer = await _get(workshop, url, {})
    if answer.status != 200:
        raise unavailable(f"{source.title}: {url} answered HTTP {answer.status}", "check the sitemap's address")
    root = _xml(source, url, answer.content)
    for element in root:
        location = (element.findtext("{*}loc") or "").strip()
        if root.tag.endswith("sitemapindex") and depth < 3:
            if _wanted(source.model_copy(update={"under": ()}), urlsplit(url), location):
                async for entry in _read_entries(source, workshop, location, depth + 1):
                    yield entry
        elif location:
            yield _Entry(location, (element.findtext("{*}lastmod") or "").strip())


def _xml(source: Source, url: str, content: bytes) -> ElementTree.Element:
    # The magic number of gzip: `sitemap.xml.gz` is often served without a Content-Encoding.
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(source, url, content)
    # Entities can expand without bound ("billion laughs") or read local files.
    if b"<!DOCTYPE" in content[:4096] or b"<!ENTITY" in content:
        raise bad_argument(
            f"{source.title}: {url} declares entities, which are not allowed in a sitemap", "give a plain sitemap"
        )
    try:
        return ElementTree.fromstring(content)  # noqa: S314  # documents with declarations are refused above
    except ElementTree.ParseError as error:
        raise bad_argument(
            f"{source.title}: {url} is not a sitemap: {error}", "give https://host/sitemap.xml"
        ) from None


def _unpacked(source: Source, url: str, content: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    try:
        unpacked = reader.decompress(content, _LARGEST)
    except zlib.error as error:
        raise bad_argument(f"{source.title}: {url}: {error}") from None
    # Small gzip files can unpack to gigabytes; the rest is never unpacked.
    if reader.unconsumed_tail:
        raise bad_argument(f"{source.title}: {url} unpacks to more than {_LARGEST >> 20} MiB")
    return unpacked


async def _fetch_page(
    source: Source, workshop: Workshop, entry: _Entry, known: Mapping[str, str]
) -> Page | Kept | Skipped:
    path = urlsplit(entry.url).path
    stamp = known.get(path, "")
    if entry.changed and stamp == f"changed {entry.changed}":
        return Kept(path)
    conditions = {"If-None-Match": stamp.removeprefix("tag ")} if stamp.startswith("tag ") else {}
    try:
        answer = await _get(workshop, entry.url, conditions)
    except ToolFailure as failure:
        return Skipped(path, failure.message)
    if answer.status == 304:
        return Kept(path)
    kind = answer.headers.get("content-type", "text/html").partition(";")[0].strip()
    if answer.status != 200 or kind not in ("text/html", "application/xhtml+xml", "text/markdown", "text/plain"):
        return Skipped(path, f"HTTP {answer.status}, {kind}")
    form = "html" if "html" in kind else "markdown"
    tag = answer.headers.get("etag", "")
    now = f"changed {entry.changed}" if entry.changed else f"tag {tag}" if tag else ""
    return Page(path, entry.url, form, answer.text, now)


async def _get(workshop: Workshop, url: str, headers: Mapping[str, str]) -> Answer:
    """The answer behind redirects within the site."""
    target = url
    for _ in range(_MOST_REDIRECTS + 1):
        answer = await workshop.web.send("GET", target, largest_bytes=_LARGEST, headers={**_AGENT, **headers})
        if answer.status not in _REDIRECTS:
            return answer
        location = answer.headers.get("location", "")
        try:
            following = urljoin(target, location)
        except ValueError:
            raise unavailable(f"{url} redirects to what is not an address", "give the final address") from None
        # Another host could be an internal address that only this machine reaches.
        if urlsplit(following).netloc != urlsplit(url).netloc:
            raise unavailable(f"{url} redirects to another host, {following}", "give the final address")
        target = following
    raise unavailable(f"{url} redirects more than {_MOST_REDIRECTS} times")
