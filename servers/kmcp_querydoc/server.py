"""The server object behind the entry point `querydoc`, and its script."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from kmcp_runtime import Server

if TYPE_CHECKING:
    from kmcp_querydoc.settings import QuerydocSettings

INSTRUCTIONS = (
    "Documentation of products, searched offline. query_documentation finds the chunks that answer a question, each "
    "with a citation; get_chunks reads on. list_products says what is indexed."
)


def _left_out(settings: QuerydocSettings) -> Collection[str]:
    from kmcp_querydoc.shelf import has_code

    return () if has_code(settings) else ("query_code",)


SERVER = Server(
    package=__package__,
    name="querydoc",
    title="Documentation",
    description="Search product documentation in an embedded index, offline and without a key.",
    instructions=INSTRUCTIONS,
    port=8090,
    settings_at="kmcp_querydoc.settings:QuerydocSettings",
    left_out=_left_out,
    first=("query_documentation",),
    category="documentation",
    tags=("documentation", "search", "rag"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
