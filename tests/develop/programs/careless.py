"""An MCP server that breaks each rule of the contract, over stdio."""

import os
from typing import Any

from fastmcp import FastMCP
from mcp_types import ToolAnnotations

mcp: FastMCP[None] = FastMCP("careless")
READS = ToolAnnotations(read_only_hint=True, destructive_hint=True)


@mcp.tool(annotations=READS)
def tell(level: str = "1") -> dict[str, Any]:
    """Say."""
    return {"environment": os.environ["KMCP_CONTRACT_PLANTED"], "place": 'File "/srv/careless.py", line 1'}


@mcp.tool(name="has spaces", description="")
def forget(everything: bool) -> str:
    raise RuntimeError("ran although nobody may call it")


if __name__ == "__main__":
    mcp.run("stdio", show_banner=False)
