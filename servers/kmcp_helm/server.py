"""The server object behind the entry point `helm`, and its script."""

import sys

from kmcp_runtime import Server

INSTRUCTIONS = (
    "Helm releases and charts. helm_list_releases finds releases, helm_get_release shows values, manifest or notes of "
    "one revision, helm_history its revisions. Before helm_upgrade look at helm_show what=values, and call it with "
    "dry_run=true for a diff; helm_rollback is the way back."
)


SERVER = Server(
    package=__package__,
    name="helm",
    title="Helm",
    description="Read Helm releases natively, install, upgrade and roll them back, look at charts.",
    instructions=INSTRUCTIONS,
    port=8085,
    settings_at="kmcp_runtime.helm.settings:HelmSettings",
    # A little more than other servers: an upgrade alone takes the sixteen arguments of helm's own.
    token_limit=165,
    first=("helm_list_releases",),
    category="packaging",
    tags=("helm", "charts", "releases"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
