"""Local redirect policies: traffic kept on its own node."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import EveryNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import load_balancer
from kmcp_cilium.state.fields import part
from kmcp_runtime import Cursor, Effect, Limit


class Redirected(BaseModel):
    """An address, and the pods of the node that traffic for it goes to."""

    address: str
    backends: list[str]


class RedirectPolicy(BaseModel):
    """A CiliumLocalRedirectPolicy as one agent applies it."""

    node: str
    namespace: str
    name: str
    type: str | None = None
    frontend_type: str | None = None
    service: str | None = None
    frontends: list[Redirected]


class RedirectPolicies(SpreadPage[RedirectPolicy]):
    """Local redirect policies, by node, namespace and name."""


@agent_tool(Effect.READ)
async def cilium_list_local_redirect_policies(
    cilium: Cilium, node_name: EveryNode = None, limit: Limit = 100, cursor: Cursor = None
) -> RedirectPolicies:
    """List local redirect policies as each node applies them: which addresses stay on the node."""
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call_json("lrp", "list"))
    found = [_policy(node, each) for node, answer in answers for each in answer or ()]
    found.sort(key=lambda policy: (policy.node, policy.namespace, policy.name))
    hint = None
    if not found:
        hint = (
            "None is applied: there is no CiliumLocalRedirectPolicy, or the chart's value "
            "localRedirectPolicies.enabled is not true."
        )
    return cilium.page(RedirectPolicies, found, limit, cursor, hint, unreachable=answers.unreachable)


def _policy(node: str, each: Mapping[str, Any]) -> RedirectPolicy:
    return RedirectPolicy(
        node=node,
        namespace=each.get("namespace", ""),
        name=each.get("name", ""),
        type=each.get("lrp-type"),
        frontend_type=each.get("frontend-type"),
        service=each.get("service-id") or None,
        frontends=[_redirected(mapping) for mapping in each.get("frontend-mappings") or ()],
    )


def _redirected(mapping: Mapping[str, Any]) -> Redirected:
    backends = [
        load_balancer.address(part(backend, "backend-address"))
        + (f" ({backend['pod-id']})" if backend.get("pod-id") else "")
        for backend in mapping.get("backends") or ()
    ]
    return Redirected(address=load_balancer.address(part(mapping, "frontend-address")), backends=backends)
