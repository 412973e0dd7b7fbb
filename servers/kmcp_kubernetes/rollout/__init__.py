"""Rollouts of Deployments, StatefulSets and DaemonSets: how far one is, and the revisions to go back to.

Whether a workload is ready is judged in `kmcp_runtime.kube.workloads`, not here.
"""
