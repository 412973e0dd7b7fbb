"""Runbooks: what to look at, in which order, when something is wrong.

Each is one Markdown file with front matter in the folder `runbooks` of a server's package. From it come the MCP prompt
(`engine/runbook_serving.py`), the skill (a resource, and a folder that `kmcp-suite skills export` writes) and its row
of the documentation. Does not belong here: what a tool does, which its own description says.
"""
