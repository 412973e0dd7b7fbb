"""Read further in a page than a search shows."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_querydoc.arguments import OLD_NAMES, ProductName, Version
from kmcp_querydoc.client import Documentation
from kmcp_querydoc.index.reading import Index, Passage, Product
from kmcp_querydoc.scope import is_version, scope
from kmcp_runtime import Effect, Result, ToolFailure, bad_argument, nearest, not_found, quoted_list, tool

USUAL = 12
"""Chunks of an answer that does not say where it ends: about 5,000 tokens."""
MOST = 50
_CITATION = re.compile(r"([a-z0-9][\w.-]*)@([^:/\s]+):(.+)", re.DOTALL)


class Chunk(BaseModel):
    index: int
    heading_path: str
    content: str


class Chunks(Result):
    """Consecutive chunks of one page."""

    cuttable = "chunks"

    url: str
    title: str
    product: str
    version: str
    of: int = Field(description="Chunks of the page")
    truncated: bool = Field(default=False, description="True when chunks follow")
    chunks: list[Chunk]


@tool(Effect.READ, open_world=False, extra=True, renamed=OLD_NAMES)
async def get_chunks(
    docs: Documentation,
    url: Annotated[str, "URL, path or citation", Field(min_length=1, max_length=1000)],
    product_name: ProductName = None,
    version: Version = None,
    start_index: Annotated[int, "First chunk", Field(ge=0)] = 0,
    end_index: Annotated[int | None, "Last chunk", Field(ge=0)] = None,
) -> Chunks:
    """Read consecutive chunks of a page, to continue where query_documentation found something."""
    if end_index is not None and end_index < start_index:
        raise bad_argument(
            f"end_index: {end_index} is before start_index {start_index}", "give both in order, counted from 0"
        )
    return await docs.query_index(lambda index: _chunks(index, url, product_name, version, start_index, end_index))


def _chunks(
    index: Index, url: str, product_name: str | None, version: str | None, start: int, end: int | None
) -> Chunks:
    place, product_name, version = _place(url.strip(), product_name, version)
    products = {each.number: each for each in _everything(index, product_name, version)}
    number, product, of = _page(index, place, [*products.values()])
    if start >= of:
        raise bad_argument(f"start_index: the page has {of} chunks, 0 to {of - 1}", "start_index=0 is the beginning")
    last = min(end if end is not None else start + USUAL - 1, start + MOST - 1, of - 1)
    found = index.page(number, start, last)
    more = last < of - 1 and (end is None or last < end)
    return Chunks(
        url=found[0].url,
        title=found[0].title,
        product=products[product].name,
        version=products[product].version,
        of=of,
        chunks=[_chunk(each) for each in found],
        truncated=more,
        hint=f"Continue with start_index={last + 1}." if more else None,
    )


def _chunk(passage: Passage) -> Chunk:
    return Chunk(index=passage.position, heading_path=" > ".join(passage.headings), content=passage.content)


def _place(url: str, product_name: str | None, version: str | None) -> tuple[str, str | None, str | None]:
    """Path or URL, product and version; a citation names all three."""
    cited = _CITATION.fullmatch(url)
    # A URL may contain an @ and a colon too.
    if cited and "://" not in url:
        url, product_name, version = cited[3], product_name or cited[1], version or cited[2]
    return url.partition("#")[0], product_name, version


def _everything(index: Index, product_name: str | None, version: str | None) -> list[Product]:
    """Every version unless one is named: most addresses already name the version."""
    newest = scope(index, product_name, version)
    names = {product.name for product in newest} if product_name else {product.name for product in index.products}
    return [
        each for each in index.products if each.name in names and (version is None or is_version(each.version, version))
    ]


def _page(index: Index, place: str, products: Sequence[Product]) -> tuple[int, int, int]:
    """Number, product and chunks of the page, of its newest version."""
    found = index.pages_at(place, products)
    if not found:
        raise _unknown(index, place, products)
    names = {product.number: product.name for product in products}
    held = sorted({names[page.product] for page in found})
    if len(held) > 1:
        raise bad_argument(f"url: {place!r} is a page of {', '.join(held)}", f"give product_name: {held[0]}")
    # The same URL is in every version's index, and a caller who names none wants the newest.
    newest = scope(index, held[0], None)[0].number
    page = next((page for page in found if page.product == newest), found[-1])
    return page.number, page.product, page.chunks


def _unknown(index: Index, place: str, products: Sequence[Product]) -> ToolFailure:
    known = index.addresses(products)
    near = nearest(place, known)
    # A path that was shortened to its last part resembles no whole address.
    near = near or [url for url in known if place.strip("/").rpartition("/")[2] in url][:3]
    return not_found(
        f"no page {place!r} in this index",
        f"did you mean {quoted_list(near)}?"
        if near
        else "query_documentation(query=…) answers with urls and citations",
    )
