"""Before the tools: what is not offered is refused here, and a list has what its caller may call."""

import logging
import secrets
import traceback
from collections.abc import Sequence

import mcp_types
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult

from kmcp_runtime import redaction
from kmcp_runtime.engine import audit, auth, door, forms, permitting, via
from kmcp_runtime.engine.configured import ConfiguredServer, is_offered, unknown_tool
from kmcp_runtime.engine.dispatch import SuiteTool, error_result
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.settings import SettingsError

log = logging.getLogger("kmcp.server")


class Gate(Middleware):
    """Answers calls of tools that are not offered, in the suite's own error model and audit."""

    def __init__(self, instances: Sequence[ConfiguredServer]) -> None:
        self.instances = instances

    async def on_call_tool(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        return forms.answered(await self._answer(context, call_next), self.instances[0].runtime)

    async def _answer(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = context.message.name
        if name == door.CALL:
            return await self._pass_on(context, call_next)
        if name == door.SEARCH:
            return await self._search(context, call_next)
        try:
            found = await is_offered(name, self.instances)
        except Exception as error:
            # Only where it was not loaded at start: over stdio, where a call waits for what it needs alone.
            return self._refused(name, _unloaded(error), context.message)
        if found:
            return await call_next(context)
        failure = unknown_tool(name, self.instances)
        self.instances[0].metrics.unknown(failure.code)
        return self._refused(name, failure, context.message)

    async def _pass_on(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """The call that is meant, as if it had come by its own name."""
        try:
            message = door.passed_on(context.message)
        except ToolFailure as failure:
            return self._refused(door.CALL, failure, context.message)
        with via.coming_by(door.CALL):
            return await self._answer(context.copy(message=message), call_next)

    async def _search(
        self,
        context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        try:
            # Here and not in the tool: what one raises the framework logs as a fault of ours.
            door.asked(context.message.arguments or {})
        except ToolFailure as failure:
            return self._refused(door.SEARCH, failure, context.message)
        result = await call_next(context)
        self._record(door.SEARCH, "read", "ok")
        return result

    def _refused(self, tool: str, failure: ToolFailure, message: mcp_types.CallToolRequestParams) -> ToolResult:
        self._record(tool, "-", failure.code)
        sent = {"name": message.name, "arguments": message.arguments or {}}
        # Of a call, too, that no server has: a name that is a Secret's value must come back as any other name does.
        with redaction.echoing(sent):
            return error_result(failure, sent)

    def _record(self, tool: str, effect: str, outcome: str) -> None:
        """The audit line of a call that no server had."""
        entry = audit.entry_of(secrets.token_hex(6), "-", tool, effect, auth.current_caller())
        entry.outcome, entry.via = outcome, via.current() or ""
        self.instances[0].refusals.call(entry)

    async def on_list_tools(
        self,
        context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """The tools that this caller may call, in the form that it may call them in, or the most used of them."""
        standing = await permitting.current(self.instances[0].policies, auth.current_caller())
        offered = await call_next(context)
        found = [await tool.narrowed(standing) if isinstance(tool, SuiteTool) else tool for tool in offered]
        shown = door.shown([tool for tool in found if tool is not None], self.instances)
        return forms.listed(shown, self.instances[0].runtime)


def _unloaded(error: Exception) -> ToolFailure:
    if isinstance(error, SettingsError):
        return unavailable(str(error), "correct the configuration and start the server again")
    log.error("the server of a tool cannot be loaded\n%s", redaction.text("".join(traceback.format_exception(error))))
    return unavailable("the server of this tool cannot be loaded", "its log says why; a library may be missing")
