"""Prometheus' HTTP API: data sources, the shape of its answers, its refusals, and which implementation answers.

Belongs here: what is true of the API whatever is asked. Does not: PromQL (`promql`), what tools answer (`answers`).
The client itself is `kmcp_prometheus.client`.
"""
