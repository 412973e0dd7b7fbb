"""The MCP server `{{name}}`.

It serves over stdio, or over streamable HTTP at `HOST` and `PORT`. Every module beside it holds tools.
"""

import importlib
import os
import pkgutil
import re
import sys
from pathlib import Path

from fastmcp import FastMCP

mcp: FastMCP[None] = FastMCP(
    "{{name}}",
    instructions="Say here when to use these tools.",
    version="0.1.0",
)


def load_tools() -> FastMCP[None]:
    """The server with the tools of every module of this package."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return mcp


def main() -> None:
    server = load_tools()
    transport = sys.argv[1] if len(sys.argv) > 1 else "stdio"
    if transport == "http":
        # What is set and empty is not set.
        host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            sys.exit(f"{{name}}: PORT: {port} is not a port")
        server.run("http", host=host, port=int(port), show_banner=False)
    elif transport == "stdio":
        server.run("stdio", show_banner=False)
    else:
        sys.exit(f"{{name}}: {transport} is neither stdio nor http")
