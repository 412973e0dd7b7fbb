"""Any source as a revision and its pages."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kmcp_querydoc.sources import commands, folder, programs, sitemap, suite
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Kept, Page, Skipped, Workshop

PageEvent = Page | Kept | Skipped


@dataclass(frozen=True)
class Gathered:
    revision: str
    """Of a source that has one: when it is that of the last build, no page has changed."""
    pages: AsyncIterator[PageEvent]


async def gather(source: Source, workshop: Workshop, known: Mapping[str, str]) -> Gathered:
    """The pages of a source, read while they are asked for; `known` are the stamps of those that are indexed."""
    if source.sitemap:
        return Gathered("", sitemap.read_pages(source, workshop, known))
    if source.suite:
        return Gathered("", _iterate(suite.pages(suite.root())))
    if source.folder:
        return Gathered("", _iterate(_files(source, Path(source.folder), "")))
    fetched = await (programs.fetch_repository if source.git else programs.download_module)(source, workshop)
    return Gathered(fetched.revision, _iterate(_files(source, fetched.root, fetched.address)))


def _files(source: Source, root: Path, address: str) -> Iterable[PageEvent]:
    yield from commands.pages(source, root, address)
    if source.under or not source.commands:
        yield from folder.pages(source, root, address)


async def _iterate(pages: Iterable[PageEvent]) -> AsyncIterator[PageEvent]:
    for page in pages:
        yield page
