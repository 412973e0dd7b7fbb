"""The server `prometheus`: queries, metrics, targets, rules and alerts through Prometheus' HTTP API."""
