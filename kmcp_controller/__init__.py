"""The controller of MCPServer: from a custom resource to a running server, its status and the live catalog.

Each package is a room with one subject, and may use only what is listed below it:

- `cli`: the commands that a person types.
- `program`: the controller as one process in a cluster: its settings, what its watches lead to, what it serves.
- `local`: the same servers as processes on this machine. `preview`: what a manifest would change in a cluster.
- `discovery`: asking running servers for their tools.
- `reconcile`: how an MCPServer becomes pods. `catalog`: the live catalog, published and over HTTP.
- `cluster`: all I/O to the API server. `telemetry`: logs and metrics.
- `render`: spec → objects. `status`: what was observed → conditions. Both are pure.
- `spec`: the custom resource. Pure.

The contract `controller-rooms` in `checks/contracts.ini` holds this order, and that nothing is outside a room.
"""
