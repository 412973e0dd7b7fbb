"""Deleting network policies."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_cilium.arguments import Elements, OneNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import TESTED
from kmcp_cilium.policy import policy_objects
from kmcp_cilium.policy.policy_objects import PolicyKind
from kmcp_runtime import (
    DryRun,
    Effect,
    OptionalNamespace,
    Result,
    Rule,
    ToolFailure,
    bad_argument,
    check_name,
    live_state,
    tool,
    unpublished,
)
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Place
from kmcp_runtime.kube.deletion import delete_as_bound

_OPEN = "Without a policy that selects them, endpoints accept and send all traffic."


class DeletedPolicy(BaseModel):
    """A policy that was, or would be, deleted."""

    kind: str
    namespace: str | None = None
    name: str
    result: str
    endpoints_affected: int | None = Field(default=None, description="Absent when unknown")


class PolicyDeletion(Result):
    """Policies that were deleted."""

    items: list[DeletedPolicy]
    changed: bool
    dry_run: bool | None = None


@tool(
    Effect.DESTROY,
    needs=(
        Rule("cilium.io", ("ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"), ("get", "list", "delete")),
        Rule("networking.k8s.io", ("networkpolicies",), ("get", "list", "delete")),
        Rule("cilium.io", ("ciliumendpoints",), ("list",)),
    ),
    verified="agent",
    against=TESTED,
)
async def cilium_delete_policy_rules(
    cilium: Cilium,
    kind: Annotated[PolicyKind, "Kind"] = "CiliumNetworkPolicy",
    namespace: OptionalNamespace = None,
    name: Annotated[str | None, "One policy"] = None,
    labels: Annotated[Elements | None, "Objects with all of these: app=web"] = None,
    all: Annotated[bool, "All in the namespace, or cluster-wide"] = False,
    node_name: Annotated[OneNode, unpublished("Policies are not of one node")] = None,
    dry_run: DryRun = False,
) -> PolicyDeletion:
    """Delete network policies by name or labels; dry_run=true lists them and how many endpoints each selects."""
    if sum((name is not None, bool(labels), all)) != 1:
        raise bad_argument("give exactly one of name, labels and all", "cilium_display_policy_node_information")
    place = await _resolve_place(cilium, kind, namespace, all)
    found = await _find_policies(cilium, place, name, labels)
    for policy in found:
        objects.bind(place.kind, policy)
    live_state.bind("policies", sorted(policy["metadata"]["name"] for policy in found))
    endpoints = await _list_endpoints(cilium, place.namespace)
    items = [await _delete(cilium, kind, place, policy, endpoints, dry_run) for policy in found]
    return PolicyDeletion(
        items=items,
        changed=bool(items) and not dry_run,
        dry_run=dry_run or None,
        warnings=[_OPEN] if items else None,
        hint=None if items else "No policy matches: nothing was deleted.",
    )


async def _resolve_place(cilium: Cilium, kind: str, namespace: str | None, all: bool) -> Place:
    resolved = await cilium.discovery.resolve(policy_objects.RESOURCES[kind])
    # Never every namespace at once: each call is limited to one.
    if resolved.namespaced and all and not namespace:
        raise bad_argument("all needs a namespace", "give the namespace whose policies to delete")
    return cilium.scoped(resolved, namespace)


async def _find_policies(
    cilium: Cilium, place: Place, name: str | None, labels: list[str] | None
) -> list[dict[str, Any]]:
    if name is not None:
        return [await cilium.read(place, _checked(name))]
    selector = ",".join(_without_source(label) for label in labels) if labels else None
    return await policy_objects.list_objects(cilium, place.kind, place.namespace, selector)


def _checked(name: str) -> str:
    try:
        return check_name(name)
    except ValueError as error:
        raise bad_argument(f"name: {error}") from None


def _without_source(label: str) -> str:
    # Labels of objects have no source, unlike those of identities.
    text = label.strip().removeprefix("k8s:").removeprefix("any:").strip()
    if not text:  # Without a key it would select every policy.
        raise bad_argument(f"labels: {label!r} has no key", "write key=value: app=web")
    return text


async def _list_endpoints(cilium: Cilium, namespace: str | None) -> list[dict[str, Any]] | None:
    """The endpoints that policies may select; None where the cluster writes no CiliumEndpoints, so nobody knows."""
    try:
        kind = await cilium.discovery.resolve("ciliumendpoints.cilium.io")
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return None
    # With disable-endpoint-crd the kind is there, and no object of it.
    return await policy_objects.list_objects(cilium, kind, namespace) or None


async def _delete(
    cilium: Cilium,
    kind: str,
    place: Place,
    policy: Mapping[str, Any],
    endpoints: list[dict[str, Any]] | None,
    dry_run: bool,
) -> DeletedPolicy:
    metadata = policy["metadata"]
    await delete_as_bound(cilium.api, place.kind, policy, lambda: cilium.read(place, metadata["name"]), dry_run=dry_run)
    return DeletedPolicy(
        kind=kind,
        namespace=metadata.get("namespace"),
        name=metadata["name"],
        result="would be deleted" if dry_run else "deleted",
        endpoints_affected=None if endpoints is None else policy_objects.affected(kind, policy, endpoints),
    )
