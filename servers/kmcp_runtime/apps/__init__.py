"""Views of answers: MCP Apps, the extension `io.modelcontextprotocol/ui` (SEP-1865, revision of 2026-01-26).

A tool that declares `view="plot"` has the script `views/plot.js` in its server's package. A client that announces the
extension finds the view's address with the tool, reads the document there and hands it the tool's arguments and result.
For every other client the tool is what it is without a view. Here is the part that needs only the standard library:
what a client announces, addresses, and documents. What speaks MCP does not belong here: `kmcp_runtime.engine.views`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXTENSION = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"
SCHEME = "ui://"
_ROOT = f"{SCHEME}kmcp"


def are_announced(capabilities: Any) -> bool:
    """Whether a client with these capabilities shows views: it names the extension and the one kind of document."""
    extensions = capabilities.get("extensions") if isinstance(capabilities, Mapping) else None
    settings = extensions.get(EXTENSION) if isinstance(extensions, Mapping) else None
    kinds = settings.get("mimeTypes") if isinstance(settings, Mapping) else None
    return isinstance(kinds, list) and MIME_TYPE in kinds


def capabilities(found: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What a server can, and that it has views: so its answer to `initialize` or `server/discover` says."""
    with_resources = {"resources": {}, **found}
    if method == "initialize":  # these revisions have no place where a server names extensions
        return with_resources
    return {**with_resources, "extensions": {**found.get("extensions", {}), EXTENSION: {}}}


def address(server: str, view: str) -> str:
    """Where a client reads the view of a server."""
    return f"{_ROOT}/{server}/{view}"


def linked(tool: Mapping[str, Any], uri: str) -> dict[str, Any]:
    """A tool of a list, as JSON, that says where its view is."""
    return {**tool, "_meta": {**tool.get("_meta", {}), "ui": {"resourceUri": uri}}}
