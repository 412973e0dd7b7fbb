"""What the author of a server of his own uses: begin a project, add a tool, run, test, build and deploy it.

Belongs here: the subcommands of `kmcp-suite` for authors, the templates, and the contract that any MCP server is tested
against. Not here: what runs in a cluster (`kmcp_controller`), and what a server is made of (`kmcp_runtime`).
"""
