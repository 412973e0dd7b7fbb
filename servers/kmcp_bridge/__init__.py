"""The stdio adapter: streamable HTTP at /mcp for an MCP server that speaks over stdin and stdout."""
