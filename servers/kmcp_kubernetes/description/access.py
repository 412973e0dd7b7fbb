"""ServiceAccounts with the bindings that name them; Roles and bindings in a line for each rule and subject."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, some, without_none

_BINDINGS = ("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")


async def describe_account(look: Look) -> Facts:
    """A ServiceAccount: what it mounts, and the bindings of it and of the groups that it is in."""
    details = without_none(
        {
            "image_pull_secrets": [each["name"] for each in look.found.get("imagePullSecrets") or ()],
            "mountable_secrets": [each["name"] for each in look.found.get("secrets") or ()],
            "automount_token": look.found.get("automountServiceAccountToken"),
        }
    )
    namespaced, everywhere = await asyncio.gather(
        # A binding in another namespace may name it too, with rights there.
        look.list_objects(_BINDINGS[0], None),
        look.list_objects(_BINDINGS[1], None),
    )
    lines = [_binding(each, subject) for each in (*namespaced, *everywhere) if (subject := _subject_of(look, each))]
    return Facts(details, some(lines))


def _subject_of(look: Look, binding: Mapping[str, Any]) -> str | None:
    """As what a binding names the account; None when it does not."""
    namespace = look.place.namespace
    groups = {"system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    for each in binding.get("subjects") or ():
        name = str(each.get("name"))
        if each.get("kind") == "ServiceAccount" and name == look.name and each.get("namespace") == namespace:
            return "itself"
        if each.get("kind") == "User" and name == f"system:serviceaccount:{namespace}:{look.name}":
            return "its user name"
        # What everybody may do (system:authenticated) says nothing about this account.
        if each.get("kind") == "Group" and name in groups - {"system:authenticated"}:
            return f"group {name}"
    return None


def _binding(binding: Mapping[str, Any], subject: str) -> Detail:
    metadata, role = binding["metadata"], binding["roleRef"]
    namespace = metadata.get("namespace")
    where = f"in {namespace}" if namespace else "in every namespace"
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    named = "" if subject == "itself" else f", through {subject}"
    return {"kind": kind, "name": metadata["name"], "state": f"{role['kind']} {role['name']} {where}{named}"}
