"""Calling tools the way users do: through an MCP client."""

from typing import Any

from fastmcp import Client

from kmcp_runtime.call import ERROR_META


class ToolCaller:
    """A connected client whose calls answer plain data, and fail the test when the outcome is the other one."""

    def __init__(self, client: Client[Any]) -> None:
        self.client = client

    async def ok(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that must succeed."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert not result.is_error, f"{tool} {arguments}: {result.content[0].text}"
        content = result.structured_content
        assert isinstance(content, dict)
        return content

    async def text(self, tool: str, /, **arguments: Any) -> str:
        """What a model reads of a call that must succeed."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert not result.is_error, f"{tool} {arguments}: {result.content[0].text}"
        return str(result.content[0].text)

    async def fails(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The error body of a call that must fail: `{code, message, hint?, …}`."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert result.is_error, f"{tool} {arguments} succeeded: {result.content[0].text}"
        assert result.structured_content is None
        body = (result.meta or {})[ERROR_META]
        assert isinstance(body, dict)
        return body
