"""Asking running servers for their tools, and deciding whether these are the expected ones.

Here: when each server is asked (`schedule`), the MCP client, what its tools are held to (`pins`), tool names that
collide, and the readiness gates of pods that wait for a match. Not here: how the answers are shown (`catalog`) or
written to the status (`status`, `reconcile`). Nothing here ever calls a tool.
"""
