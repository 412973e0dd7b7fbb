"""A stand-in for Grafana: it keeps state, and checks each request against the published API before it acts.

    Request → known route? → who is it? → query, headers and body as published? → may it? → handler → state

A request that no published route takes, or whose query or body has another shape, is refused and kept in
`StandIn.violations`; what was accepted is kept in `StandIn.accepted`.
"""

from tests.grafana.standin.app import StandIn

__all__ = ["StandIn"]
