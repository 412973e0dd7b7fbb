"""The contract that every MCP server is held to, ours or foreign: what is asked of it, and the report."""
