"""The controller of MCPServer: spec → objects → status and live catalog, in a cluster or on this machine."""
