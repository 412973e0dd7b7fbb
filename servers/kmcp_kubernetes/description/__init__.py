"""Descriptions of one object, by kind: `describe` chooses the function, which reads what belongs to the object.

How lists are shown is not decided here but in `reading.list_shapes`.
"""

from collections.abc import Awaitable, Callable, Mapping

from kmcp_kubernetes.description import (
    access,
    autoscalers,
    configuration,
    namespaces,
    network,
    nodes,
    pods,
    storage,
    traffic,
    workloads,
)
from kmcp_kubernetes.description.facts import Facts, Look

Describe = Callable[[Look], Awaitable[Facts]]

_BY_KIND: Mapping[str, Describe] = {
    "pods": pods.describe_pod,
    "deployments.apps": workloads.describe_workload,
    "statefulsets.apps": workloads.describe_workload,
    "daemonsets.apps": workloads.describe_workload,
    "replicasets.apps": workloads.describe_workload,
    "replicationcontrollers": workloads.describe_workload,
    "jobs.batch": workloads.describe_job,
    "cronjobs.batch": workloads.describe_cron_job,
    "horizontalpodautoscalers.autoscaling": autoscalers.describe_autoscaler,
    "services": network.describe_service,
    "ingresses.networking.k8s.io": network.describe_ingress,
    "networkpolicies.networking.k8s.io": traffic.describe_network_policy,
    "nodes": nodes.describe_node,
    "namespaces": namespaces.describe_namespace,
    "resourcequotas": namespaces.describe_quota,
    "limitranges": namespaces.describe_limits,
    "serviceaccounts": access.describe_account,
    "persistentvolumeclaims": storage.describe_claim,
    "configmaps": configuration.describe_keys,
    "secrets": configuration.describe_keys,
}


async def describe(look: Look) -> Facts:
    return await _BY_KIND.get(look.place.kind.full_name, configuration.describe_anything)(look)
