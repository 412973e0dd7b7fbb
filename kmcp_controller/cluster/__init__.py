"""All I/O of the controller to the API server, and what it keeps of that: reads, writes, watches, Lease, Events.

Here: what would be the same for any other custom resource. Not here: what an MCPServer means or becomes (`spec`,
`render`, `reconcile`), and requests to anything but the API server. kopf is imported in `watches` alone.
"""
