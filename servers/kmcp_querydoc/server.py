"""The server object behind the entry point `querydoc`, and its script."""

import sys
from collections.abc import Collection
from typing import Any

from kmcp_querydoc import tools
from kmcp_querydoc.settings import QuerydocSettings
from kmcp_runtime.configured import Server
from kmcp_runtime.tool import tools_below

INSTRUCTIONS = (
    "Documentation of products, searched offline. query_documentation finds the chunks that answer a question, each "
    "with a citation; get_chunks reads on. list_products says what is indexed."
)


def _open(settings: QuerydocSettings) -> Any:
    from kmcp_querydoc.client import open_documentation

    return open_documentation(settings)


def _left_out(settings: QuerydocSettings) -> Collection[str]:
    from kmcp_querydoc.shelf import has_code

    return () if has_code(settings) else ("query_code",)


SERVER = Server(
    name="querydoc",
    title="Documentation",
    description="Search product documentation in an embedded index, offline and without a key.",
    instructions=INSTRUCTIONS,
    port=8090,
    tools=lambda: tools_below(tools),
    settings=QuerydocSettings,
    open=_open,
    left_out=_left_out,
    category="documentation",
    tags=("documentation", "search", "rag"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
