"""In how many forms a client is answered: as text and as data with a schema, or as text alone.

Both are right, and a model that is handed both pays twice.
"""

from collections.abc import Sequence

from fastmcp.tools import Tool, ToolResult

from kmcp_runtime import clients
from kmcp_runtime.engine import address, audit
from kmcp_runtime.settings import RuntimeSettings


def has_data(runtime: RuntimeSettings) -> bool:
    """Whether this request is answered as data, too: its address says so, or the settings, or who asks."""
    asked = address.current().output_schemas
    chosen = runtime.output_schemas if asked is None else asked
    if chosen is not None:
        return chosen
    client = audit.client_info()
    return client is None or client.name not in clients.PAYING_TWICE


def listed(tools: Sequence[Tool], runtime: RuntimeSettings) -> list[Tool]:
    """The tools as this request lists them: with the schemas of their answers, or without."""
    if has_data(runtime):
        return list(tools)
    return [tool.model_copy(update={"output_schema": None}) if tool.output_schema else tool for tool in tools]


def answered(result: ToolResult, runtime: RuntimeSettings) -> ToolResult:
    """The answer in the form that the list has promised; data that no text tells stays."""
    if result.structured_content is None or not result.content or has_data(runtime):
        return result
    return ToolResult(content=result.content, meta=result.meta, is_error=result.is_error)
