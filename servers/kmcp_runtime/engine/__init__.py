"""What runs a server that was declared: private to the runtime.

Here is everything between a transport and a tool's body: one call from its arguments to its audit line (`dispatch`),
who calls (`auth`), who agrees to a destruction (`approval`), servers with their settings (`configured`), put behind one
MCP object and served (`assembly`), the management port (`health`, `telemetry`), and the command line (`cli`).

It may import fastmcp, mcp, starlette and uvicorn. What an author of tools uses does not belong here: that is
`kmcp_runtime.public`, which loads none of them. No server imports from here; `Server.main` starts it.
"""
