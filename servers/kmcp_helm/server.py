"""The server object behind the entry point `helm`, and its script."""

import sys
from collections.abc import Mapping
from typing import Any

from kmcp_helm import tools
from kmcp_runtime.configured import Server
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.tool import tools_below

INSTRUCTIONS = (
    "Helm releases and charts. helm_list_releases finds releases, helm_get_release shows values, manifest or notes of "
    "one revision, helm_history its revisions. Before helm_upgrade look at helm_show what=values, and call it with "
    "dry_run=true for a diff; helm_rollback is the way back."
)


def _open(settings: HelmSettings) -> Any:
    from kmcp_helm.client import open_backend

    return open_backend(settings)


def _context_argument(settings: HelmSettings) -> Mapping[str, Any]:
    from kmcp_runtime.kube.clusters import context_argument

    return context_argument(settings)


SERVER = Server(
    name="helm",
    title="Helm",
    description="Read Helm releases natively, install, upgrade and roll them back, look at charts.",
    instructions=INSTRUCTIONS,
    port=8085,
    tools=lambda: tools_below(tools),
    settings=HelmSettings,
    open=_open,
    extra_arguments=_context_argument,
    category="packaging",
    tags=("helm", "charts", "releases"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
