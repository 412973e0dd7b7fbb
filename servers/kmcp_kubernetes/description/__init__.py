"""What is worth telling of one object, by kind: `describe` picks the family, each family reads what belongs to it."""

from collections.abc import Awaitable, Callable, Mapping

from kmcp_kubernetes.description import configuration, network, nodes, pods, storage, workloads
from kmcp_kubernetes.description.facts import Facts, Look

Describe = Callable[[Look], Awaitable[Facts]]

_BY_KIND: Mapping[str, Describe] = {
    "pods": pods.pod,
    "deployments.apps": workloads.workload,
    "statefulsets.apps": workloads.workload,
    "daemonsets.apps": workloads.workload,
    "replicasets.apps": workloads.workload,
    "replicationcontrollers": workloads.workload,
    "jobs.batch": workloads.job,
    "cronjobs.batch": workloads.cron_job,
    "horizontalpodautoscalers.autoscaling": workloads.autoscaler,
    "services": network.service,
    "ingresses.networking.k8s.io": network.ingress,
    "nodes": nodes.node,
    "persistentvolumeclaims": storage.claim,
    "configmaps": configuration.keys,
    "secrets": configuration.keys,
}


async def describe(look: Look) -> Facts:
    return await _BY_KIND.get(look.place.kind.full_name, configuration.anything)(look)
