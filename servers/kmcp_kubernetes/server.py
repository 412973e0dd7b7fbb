"""The server object behind the entry point `kubernetes`, and its script."""

import sys
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes import tools
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.configured import Server
from kmcp_runtime.tool import tools_below

INSTRUCTIONS = (
    "Kubernetes through its API. Start with k8s_get_resources (tables, names, selectors) and narrow before asking for "
    "yaml; k8s_describe_resource explains one object with its events; k8s_get_pod_logs previous=true after a crash. "
    "Every change takes dry_run=true and answers with a diff."
)


def _open(settings: KubernetesSettings) -> Any:
    from kmcp_kubernetes.client import open_backend

    return open_backend(settings)


def _context_argument(settings: KubernetesSettings) -> Mapping[str, Any]:
    from kmcp_runtime.kube.clusters import context_argument

    return context_argument(settings)


SERVER = Server(
    name="kubernetes",
    title="Kubernetes",
    description="Read and change objects of a Kubernetes cluster, natively through its API.",
    instructions=INSTRUCTIONS,
    port=8083,
    tools=lambda: tools_below(tools),
    settings=KubernetesSettings,
    open=_open,
    extra_arguments=_context_argument,
    category="orchestration",
    tags=("kubernetes", "pods", "logs", "rollouts"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
