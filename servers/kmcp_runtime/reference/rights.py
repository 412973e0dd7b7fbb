"""The page of rights: what Kubernetes must allow the identity of each server, as its tools declare it."""

from collections.abc import Sequence

from kmcp_runtime.catalog import Rule, union
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.reference.markdown import code, codes, table
from kmcp_runtime.reference.markdown import page as joined
from kmcp_runtime.server import Server

_ABOUT = """\
Each tool declares the Kubernetes rights that it uses. The chart grants their union to each server, from
`charts/kmcp/files/rights.yaml`: by `rbac: view` what a read-only server needs, by `rbac: full` what all of its tools
need. With `rbac.namespaces` these are Roles in those namespaces; what a server touches only where its backend lives, as
Cilium's agents, is a Role in that namespace. `*` stands for any kind, which the value `rbac.kinds` lists.
The tests call the tools of the registry with exactly these rights, and once without each of them.

An MCPServer that allows only some tools gets only what those need. What a single tool needs stands with the tool."""


def page(servers: Sequence[Server]) -> str:
    parts = ["# Rights", _ABOUT]
    for server in servers:
        parts += [f"## {server.full_name}", _server(server)]
    return joined(*parts)


def _server(server: Server) -> str:
    tools = server.tools()
    reading = [found for declared in tools if (found := declared.read_only()) is not None]
    every, read = _union(tools), _union(reading)
    if not every:
        return "No rights in a cluster."
    allowed = {(rule.group, resource, verb) for rule in read for resource in rule.resources for verb in rule.verbs}
    return table(
        ("API group", "Resources", "Read-only", "Beyond read-only"),
        (
            (group(rule), codes(resources), codes(reads), codes(verb for verb in rule.verbs if verb not in reads))
            for rule in every
            for resources, reads in _by_reading(rule, allowed)
        ),
    )


def _by_reading(rule: Rule, allowed: set[tuple[str, str, str]]) -> list[tuple[list[str], tuple[str, ...]]]:
    """The resources of a rule, together where a read-only server has the same verbs on them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for resource in rule.resources:
        reads = tuple(verb for verb in rule.verbs if (rule.group, resource, verb) in allowed)
        found.setdefault(reads, []).append(resource)
    return [(resources, reads) for reads, resources in found.items()]


def group(rule: Rule) -> str:
    """The API group; the core group has no name, which would be an empty cell."""
    return code(rule.group) if rule.group else "core"


def _union(tools: Sequence[ToolSpec]) -> tuple[Rule, ...]:
    return union(rule for declared in tools for rule in declared.needs)
