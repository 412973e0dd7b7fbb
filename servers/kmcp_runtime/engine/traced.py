"""Each request of a client belongs to a trace, from its arrival to its answer."""

from typing import Any

from fastmcp.server.dependencies import fastmcp_request_ctx
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from kmcp_runtime.tracing import contexts


class Traced(Middleware):
    """The outermost middleware: what runs inside knows its trace."""

    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        with contexts.within(_sent()):
            return await call_next(context)


def _sent() -> contexts.TraceContext | None:
    """Where the client is in its trace: by `_meta` of the message, else by the headers of the HTTP request."""
    # A stream of HTTP may carry several messages, so what the message itself says is nearer.
    request = fastmcp_request_ctx.get()
    if request is None:
        return None
    return contexts.received(request.meta) or (contexts.received(request.request.headers) if request.request else None)
