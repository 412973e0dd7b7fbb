"""The server object behind the entry point `argo`, and its script."""

import sys

from kmcp_runtime import Server

INSTRUCTIONS = (
    "Argo Rollouts through its API, no kubectl plugin needed. argo_rollouts_list shows status, step and weight; "
    "argo_get_rollout explains one; argo_promote_rollout continues it, argo_rollout_action aborts, retries, undoes."
)


SERVER = Server(
    package=__package__,
    name="argo",
    title="Argo Rollouts",
    description="Follow, promote, pause, abort and undo rollouts of Argo Rollouts, natively through the API.",
    instructions=INSTRUCTIONS,
    port=8087,
    settings_at="kmcp_argo.settings:ArgoSettings",
    first=("argo_rollouts_list",),
    at_doors=True,
    category="delivery",
    tags=("argo-rollouts", "canary", "blue-green", "progressive-delivery"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
