"""Any source as a revision and its pages."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kmcp_querydoc.sources import commands, folder, programs, sitemap, suite
from kmcp_querydoc.sources.definitions import Source
from kmcp_querydoc.sources.page import Kept, Page, Skipped, Workshop

Told = Page | Kept | Skipped


@dataclass(frozen=True)
class Gathered:
    revision: str
    """Of a source that has one: when it is that of the last build, no page has changed."""
    pages: AsyncIterator[Told]


async def gather(source: Source, workshop: Workshop, known: Mapping[str, str]) -> Gathered:
    """The pages of a source, read while they are asked for; `known` are the stamps of those that are indexed."""
    if source.sitemap:
        return Gathered("", sitemap.pages(source, workshop, known))
    if source.suite:
        return Gathered("", _each(suite.pages(suite.root())))
    if source.folder:
        return Gathered("", _each(_files(source, Path(source.folder), "")))
    fetched = await (programs.repository if source.git else programs.module)(source, workshop)
    return Gathered(fetched.revision, _each(_files(source, fetched.root, fetched.address)))


def _files(source: Source, root: Path, address: str) -> Iterable[Told]:
    yield from commands.pages(source, root, address)
    if source.under or not source.commands:
        yield from folder.pages(source, root, address)


async def _each(pages: Iterable[Told]) -> AsyncIterator[Told]:
    for page in pages:
        yield page
