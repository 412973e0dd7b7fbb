"""Calling tools the way users do: through an MCP client."""

from collections.abc import Sequence
from typing import Any

import mcp_types
from fastmcp import Client

from kmcp_runtime import ERROR_META
from kmcp_runtime.output.render import DATA_BEGINS, DATA_ENDS


def text_of(content: Sequence[mcp_types.ContentBlock]) -> str:
    """The text of a result that has one block."""
    (block,) = content
    assert isinstance(block, mcp_types.TextContent)
    return block.text


def unframed(text: str) -> str:
    """What others wrote of a text for a model: what stands between the two lines of the frame."""
    opening, rest = text.split("\n", 1)
    boundary = opening.rpartition(" ")[2]
    inside, end, _ = rest.partition(f"\n{DATA_ENDS} {boundary}")
    assert opening.startswith(DATA_BEGINS), text
    assert end, text
    return inside


class ToolCaller:
    """A connected client whose calls answer plain data, and fail the test when the outcome is the other one."""

    def __init__(self, client: Client[Any]) -> None:
        self.client = client

    async def ok(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that must succeed."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert not result.is_error, f"{tool} {arguments}: {text_of(result.content)}"
        content = result.structured_content
        assert isinstance(content, dict)
        return content

    async def text(self, tool: str, /, **arguments: Any) -> str:
        """What a model reads of a call that must succeed."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert not result.is_error, f"{tool} {arguments}: {text_of(result.content)}"
        return text_of(result.content)

    async def fails(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The error body of a call that must fail: `{code, message, hint?, …}`."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert result.is_error, f"{tool} {arguments} succeeded: {text_of(result.content)}"
        # Clients check it against the output schema even when the call failed, so an error must not be there.
        assert result.structured_content is None
        body = (result.meta or {})[ERROR_META]
        assert isinstance(body, dict)
        return body
