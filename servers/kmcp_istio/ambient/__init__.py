"""The ambient mesh: waypoints, which are Gateways in the cluster, and the state that a node's ztunnel dumps.

A waypoint's Envoy does not belong here: it is read like that of a sidecar, in `envoy`.
"""
