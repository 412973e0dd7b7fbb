"""The server object behind the entry point `argo`, and its script."""

import sys
from collections.abc import Mapping
from typing import Any

from kmcp_argo import tools
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime.configured import Server
from kmcp_runtime.tool import tools_below

INSTRUCTIONS = (
    "Argo Rollouts through its API, no kubectl plugin needed. argo_rollouts_list shows status, step and weight; "
    "argo_get_rollout explains one; argo_promote_rollout continues it, argo_rollout_action aborts, retries, undoes."
)


def _open(settings: ArgoSettings) -> Any:
    from kmcp_argo.client import open_backend

    return open_backend(settings)


def _context_argument(settings: ArgoSettings) -> Mapping[str, Any]:
    from kmcp_runtime.kube.clusters import context_argument

    return context_argument(settings)


SERVER = Server(
    name="argo",
    title="Argo Rollouts",
    description="Follow, promote, pause, abort and undo rollouts of Argo Rollouts, natively through the API.",
    instructions=INSTRUCTIONS,
    port=8087,
    tools=lambda: tools_below(tools),
    settings=ArgoSettings,
    open=_open,
    extra_arguments=_context_argument,
    category="delivery",
    tags=("argo-rollouts", "canary", "blue-green", "progressive-delivery"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
