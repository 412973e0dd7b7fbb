"""Cilium as an installation: the Helm release, the chart's values, the workloads, and the cluster mesh in those values.

What running agents report does not belong here: that is in `state`.
"""
