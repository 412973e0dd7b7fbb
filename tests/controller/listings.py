"""Servers with what they list, as the controller's catalog takes them."""

from dataclasses import replace
from typing import Any
from zlib import crc32

from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.status import Listing

READ = {"readOnlyHint": True, "destructiveHint": False}
DESTROY = {"readOnlyHint": False, "destructiveHint": True}


def tool(name: str = "query", **changes: Any) -> dict[str, Any]:
    """As MCP lists it."""
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "PromQL"}},
        "required": ["query"],
        "additionalProperties": False,
    }
    found = {"name": name, "title": "Run a query", "description": "Evaluate an expression.", "inputSchema": schema}
    return {**found, "annotations": READ, **changes}


def listing(*tools: dict[str, Any]) -> Listing:
    return Listing("2026-07-28", {"name": "prometheus", "version": "1.4.0"}, list(tools), [], [])


def ready(status: str = "True", reason: str = "Available", match: str = "Matched") -> list[dict[str, Any]]:
    when = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    return [
        {"type": "Ready", "status": status, "reason": reason, "message": "as <b>told</b>", **when},
        {"type": "CatalogMatched", "status": "True", "reason": match, "message": "", **when},
    ]


def server(name: str = "kmcp-prometheus", *tools: dict[str, Any], **changes: Any) -> LiveServer:
    found = LiveServer(
        namespace="tools",
        name=name,
        url=f"http://{name}.tools.svc:3000/mcp",
        transport="http",
        image=f"example.com/{name}:1.4.0",
        conditions=ready(),
        uid=f"7f0c3f0e-5b0e-4c0e-9a55-{crc32(name.encode()):012d}",
        listing=listing(*(tools or (tool(),))),
    )
    return replace(found, **changes)
