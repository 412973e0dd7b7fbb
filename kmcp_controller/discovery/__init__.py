"""Asking running servers for their tools, and deciding whether these are the expected ones.

Here: the MCP client, when each server is asked, what its tools are held to (`pins`), tool names that collide, and the
readiness gates of pods that wait for a match. Not here: how the answers are shown (`catalog`) or written to the status
(`status`, `reconcile`). Nothing here ever calls a tool.
"""
