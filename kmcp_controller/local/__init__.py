"""What the controller does in a cluster, on this machine: `kmcp-suite up` runs the rendered objects as processes.

Here: child processes, ports, Secrets from a folder. Not here: any request to an API server, and any second opinion on
what a manifest means: it goes through the same `spec`, `render` and `status` as in a cluster.
"""
