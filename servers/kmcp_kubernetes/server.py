"""The server object behind the entry point `kubernetes`, and its script."""

import sys

from kmcp_runtime import Server

INSTRUCTIONS = (
    "Kubernetes through its API. Start with k8s_get_resources (tables, names, selectors) and narrow before asking for "
    "yaml; k8s_describe_resource explains one object with its events; k8s_get_pod_logs previous=true after a crash. "
    "Every change takes dry_run=true and answers with a diff."
)


SERVER = Server(
    package=__package__,
    name="kubernetes",
    title="Kubernetes",
    description="Read and change objects of a Kubernetes cluster, natively through its API.",
    instructions=INSTRUCTIONS,
    port=8083,
    settings_at="kmcp_kubernetes.settings:KubernetesSettings",
    first=(
        "k8s_get_resources",
        "k8s_describe_resource",
        "k8s_get_pod_logs",
        "k8s_get_events",
        "k8s_apply_manifest",
        "k8s_rollout",
    ),
    at_doors=True,
    category="orchestration",
    tags=("kubernetes", "pods", "logs", "rollouts"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
