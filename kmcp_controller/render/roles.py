"""The rights of a suite's server in its own namespace, from what its allowed tools declare to need."""

from typing import Any

from kmcp_controller.spec import MCPServer, Platform, RefusedError, repository
from kmcp_controller.spec.catalog_entry import narrowed
from kmcp_runtime.catalog import Effect, Fault, ServerEntry, ToolEntry, union

Manifest = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"
_API_VERSION = f"{_GROUP}/v1"


def roles(server: MCPServer, platform: Platform, entry: ServerEntry | None, account: str) -> list[Manifest]:
    """A RoleBinding of `account`, with `derive` the Role too; nothing for tools that need no right."""
    kind = server.extensions.rbac
    if kind == "none":
        return []
    name = repository(server.deployment.image).rpartition("/")[2]
    if entry is None:
        text = (
            f"the catalog has no server {name}, so what its tools need is not known; use deployment.serviceAccountName"
        )
        raise RefusedError([Fault(("spec", "extensions", "rbac"), text)])
    tools = narrowed(entry, server.extensions.tools, server.extensions.read_only)
    # Of the tools that are left only: a server that may only read gets no right to write.
    rules = union(rule for tool in tools for rule in tool.needs)
    if not rules:
        return []
    if kind == "bind":
        return [_binding(server, account, "ClusterRole", f"{platform.role_prefix}-{name}-{_suffix(tools)}")]
    role = {"apiVersion": _API_VERSION, "kind": "Role", "rules": [rule.as_policy() for rule in rules]}
    return [role, _binding(server, account, "Role", server.name)]


def _suffix(tools: tuple[ToolEntry, ...]) -> str:
    return "read" if all(tool.effect is Effect.READ for tool in tools) else "write"


def _binding(server: MCPServer, account: str, kind: str, role: str) -> Manifest:
    return {
        "apiVersion": _API_VERSION,
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": server.namespace}],
    }
