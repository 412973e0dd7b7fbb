"""The live catalog: what each MCPServer really offers, as one document, published and served read-only.

Here: describing a server and its tools, the document in memory, how it is written to ConfigMaps and read back, and
everything that HTTP clients see of it (page, JSON, MCP Registry API, exports). Not here: talking to MCP servers, and
deciding what their tools should be (`discovery`); the catalog that is shipped with the suite (`kmcp_runtime.catalog`).
"""
