"""`kmcp-suite catalog pin NAMESPACE/NAME`: the tools that an MCPServer offers now, as the reference to hold it to."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_controller.discovery.pins import TOOLS_HASH
from kmcp_runtime.errors import ToolFailure

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def main(argv: Sequence[str]) -> int:
    """Print the annotation that pins what a server offers now; to stderr, what that accepts."""
    parser = argparse.ArgumentParser("kmcp-suite catalog pin", description=main.__doc__)
    parser.add_argument("server", type=_place, metavar="NAMESPACE/NAME", help="the MCPServer")
    parser.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG", ""), help="default: KUBECONFIG")
    parser.add_argument("--context", help="of the kubeconfig (default: its current one)")
    given = parser.parse_args(argv)
    try:
        found = asyncio.run(_read_server(given.kubeconfig, given.context, *given.server))
        print(annotation(found))
        print(about(found), file=sys.stderr)  # stdout holds the one line, to be pasted or piped
    except (ToolFailure, NothingOfferedError) as error:
        print(f"kmcp-suite catalog pin: {error}", file=sys.stderr)
        return 1
    return 0


class NothingOfferedError(Exception):
    """Says why no tools are known."""


def annotation(server: Mapping[str, Any]) -> str:
    """The line to write into the manifest."""
    return f"{TOOLS_HASH}: {_offered(server)}"


def about(server: Mapping[str, Any]) -> str:
    """What whoever pins this should know, and the command that does it."""
    metadata, matched = server["metadata"], _conditions(server).get("CatalogMatched") or {}
    place = f"kubectl -n {metadata['namespace']} annotate --overwrite mcpserver {metadata['name']}"
    lines = [f"{place} {TOOLS_HASH}={_offered(server)}"]
    if matched.get("status") == "False":
        lines.insert(0, f"this accepts the present differences from the reference: {matched['message']}")
    return "\n".join(lines)


def _offered(server: Mapping[str, Any]) -> str:
    """What blocked pods offer, else what was listed last.

    From the messages of conditions: upstream's definition has no field for it in the status.
    """
    conditions = _conditions(server)
    matched, discovered = (conditions.get(each) or {} for each in ("CatalogMatched", "ToolsDiscovered"))
    if matched.get("reason") == "Blocked":
        return str(_HASH.findall(matched["message"])[-1])
    found = _HASH.search(discovered.get("message", ""))
    if found is None:
        why = f"{discovered.get('reason', 'Pending')}: {discovered.get('message', 'not asked yet')}"
        raise NothingOfferedError(f"{server['metadata']['name']} has listed no tools yet ({why})")
    return found[0]


def _conditions(server: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {each["type"]: each for each in (server.get("status") or {}).get("conditions") or ()}


async def _read_server(kubeconfig: str, context: str | None, namespace: str, name: str) -> dict[str, Any]:
    # The client of the API server is an extra, which the other subcommands do without.
    from kmcp_controller.cluster.client import KINDS
    from kmcp_runtime.kube.api import KubeApi, Limits
    from kmcp_runtime.kube.config import load_contexts

    contexts = load_contexts(kubeconfig)
    api = KubeApi(contexts, contexts.named(context), Limits())
    try:
        found: dict[str, Any] = await api.get(KINDS["MCPServer"].path(namespace, name))
    finally:
        await api.close()
    return found


def _place(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return namespace, name
