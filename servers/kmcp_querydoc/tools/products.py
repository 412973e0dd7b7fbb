"""What the index holds."""

from pydantic import BaseModel

from kmcp_querydoc.client import Documentation
from kmcp_querydoc.index.reading import Index
from kmcp_runtime import Effect, Page, tool


class Listed(BaseModel):
    """A product; pages and chunks count all its versions, built is the newest time."""

    product: str
    versions: list[str]
    aliases: list[str]
    pages: int
    chunks: int
    built: str


class Products(Page[Listed]):
    """Products by name."""


@tool(Effect.READ, open_world=False, extra=True)
async def list_products(docs: Documentation) -> Products:
    """List the products and versions that query_documentation can search."""
    return await docs.query_index(_products)


def _products(index: Index) -> Products:
    by_name: dict[str, Listed] = {}
    for each in index.products:
        new = Listed(product=each.name, versions=[], aliases=[*each.aliases], pages=0, chunks=0, built="")
        listed = by_name.setdefault(each.name, new)
        listed.versions.append(each.version)
        listed.pages += each.pages
        listed.chunks += each.chunks
        listed.built = max(listed.built, each.built)
    hint = None if len(by_name) > 1 else "More products: `kmcp-suite docs build` indexes folders, repositories, sites."
    return Products(items=[*by_name.values()], total=len(by_name), hint=hint)
