"""Foreign MCP servers, whom nobody vouches for: where they are, how they are spoken to, what they list.

Whatever comes from one is bounded and cleaned here. What a call may do, and what a model reads of it, does not belong
here (`engine.foreign_server`).
"""
