"""What callers may do: the policy, by its text, its decisions, and through MCP clients."""
