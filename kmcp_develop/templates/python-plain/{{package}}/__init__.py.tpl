"""The MCP server `{{name}}`."""
