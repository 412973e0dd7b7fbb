"""Search in documentation."""

from typing import Annotated

from kmcp_querydoc.answers import Answers, Search
from kmcp_querydoc.arguments import OLD_NAMES, ProductName, Query, Version
from kmcp_querydoc.client import Documentation
from kmcp_runtime import Effect, Word, injected, tool


@tool(Effect.READ, open_world=False, renamed=OLD_NAMES)
async def query_documentation(
    query: Query,
    product_name: ProductName = None,
    version: Version = None,
    url_prefix: Annotated[str | None, Word("Only pages below", max_length=500)] = None,
    neighbours: Annotated[int, Word("Chunks around each", ge=0, le=3)] = 0,
    limit: Annotated[int, Word("Most chunks", ge=1, le=20)] = 4,
    docs: Documentation = injected(),
) -> Answers:
    """Search product documentation; ask before configuring or debugging what you are not sure of, and cite it."""
    return await docs.query_index(Search(docs, query, product_name, version, url_prefix, neighbours, limit).run)
