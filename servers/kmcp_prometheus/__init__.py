"""The server `prometheus`: queries, metrics, targets, rules and alerts through Prometheus' HTTP API.

Packages: `tools` (what is declared), `guidance` (advice that asks the backend), `answers` (what tools answer),
`promql` (the language), `api` (the HTTP API and its data sources). The client stands above `api` and below the rest.
"""
