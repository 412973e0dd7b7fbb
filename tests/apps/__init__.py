"""MCP Apps: views of answers, as clients are told of them, and as a browser draws them in a host of the protocol."""
