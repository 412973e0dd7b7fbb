"""Search in documentation."""

from typing import Annotated

from pydantic import Field

from kmcp_querydoc.answers import Answers, Search
from kmcp_querydoc.arguments import OLD_NAMES, ProductName, Query, Version
from kmcp_querydoc.client import Documentation
from kmcp_runtime import Effect, tool


@tool(Effect.READ, open_world=False, renamed=OLD_NAMES)
async def query_documentation(
    docs: Documentation,
    query: Query,
    product_name: ProductName = None,
    version: Version = None,
    url_prefix: Annotated[str | None, "Only pages below", Field(max_length=500)] = None,
    neighbours: Annotated[int, "Chunks around each", Field(ge=0, le=3)] = 0,
    limit: Annotated[int, "Most chunks", Field(ge=1, le=20)] = 4,
) -> Answers:
    """Search product documentation; ask before configuring or debugging what you are not sure of, and cite it."""
    return await docs.query_index(Search(docs, query, product_name, version, url_prefix, neighbours, limit).run)
