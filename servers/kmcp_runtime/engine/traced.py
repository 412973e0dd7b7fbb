"""Each request of a client has its place in a trace, and a span from its arrival to its answer.

Names and attributes follow OpenTelemetry's conventions for MCP and for generative AI; docs/guides/observability.md has
a list. fastmcp has spans of its own, which go to the process-wide provider that nobody sets here: they hold the texts
of errors and the ids of sessions.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from fastmcp.server.dependencies import FastMCPRequestContext, fastmcp_request_ctx
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp.shared.exceptions import MCPError

from kmcp_runtime.audit.record import Entry
from kmcp_runtime.tracing import contexts, spans

CALL = "tools/call"
_PLAIN_ID = re.compile(r"[0-9A-Fa-f-]{1,36}")  # a number or a UUID: in any other text a client could hide something
_span: ContextVar[spans.Span] = ContextVar("kmcp_request_span", default=spans.NOTHING)


class Traced(Middleware):
    """The outermost middleware: what runs inside knows its trace, and is below its span."""

    def __init__(self, offers: Callable[[str], bool]) -> None:
        self._offers = offers

    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        request = fastmcp_request_ctx.get()
        # A stream of HTTP may carry several messages, so what the message itself says is nearer.
        transport = contexts.received(request.request.headers) if request and request.request else None
        message = contexts.received(request.meta) if request else None
        with contexts.within(message or transport):
            if context.type != "request" or context.method is None:
                return await call_next(context)
            tool = self._tool(context)
            name = f"{context.method} {tool}" if tool else context.method
            attributes = _attributes(context.method, tool, request)
            link = transport if message else None
            with spans.opened(name, "server", attributes, link, class_of=_error_class) as span:
                return await _answered(span, context, call_next)

    def _tool(self, context: MiddlewareContext[Any]) -> str | None:
        """Of a call; None for one that is not offered, whose name could be anything."""
        if context.method != CALL:
            return None
        message = context.message
        name = message.get("name") if isinstance(message, dict) else getattr(message, "name", None)
        return name if isinstance(name, str) and self._offers(name) else None


def called(entry: Entry) -> None:
    """The span of the call under way says what its audit line says."""
    _span.get().put(
        {
            "kmcp.request.id": entry.request,
            "kmcp.server": entry.server,
            "kmcp.tool.effect": entry.effect,
            "kmcp.approval": entry.approval or None,
            "kmcp.outcome": entry.outcome,
        }
    )


async def _answered(span: spans.Span, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
    token = _span.set(span)
    try:
        result = await call_next(context)
    finally:
        _span.reset(token)
    if isinstance(result, ToolResult) and result.is_error:
        span.failed("tool_error")  # the convention's word; kmcp.outcome has the code
    return result


def _attributes(method: str, tool: str | None, request: FastMCPRequestContext | None) -> spans.Attributes:
    of_http = request is not None and request.request is not None
    number = request.request_id if request else None
    return {
        "mcp.method.name": method,
        "mcp.protocol.version": request.protocol_version if request else None,
        "jsonrpc.request.id": number if number and _PLAIN_ID.fullmatch(number) else None,
        "gen_ai.operation.name": "execute_tool" if method == CALL else None,
        "gen_ai.tool.name": tool,
        "network.transport": "tcp" if of_http else "pipe",
        "network.protocol.name": "http" if of_http else None,
    }


def _error_class(error: BaseException) -> str:
    return str(error.error.code) if isinstance(error, MCPError) else type(error).__qualname__
