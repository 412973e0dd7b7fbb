"""Objects as manifests hold them, applied to the API server."""

from collections.abc import Mapping
from typing import Any

from kmcp_runtime.kube.api import KubeApi

APPLY = "application/apply-patch+yaml"
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
_PLURALS = {"NetworkPolicy": "networkpolicies"}


def path_of(found: Mapping[str, Any], namespace: str) -> str:
    group, kind = found["apiVersion"], found["kind"]
    base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
    scope = "" if kind in CLUSTER_WIDE else f"/namespaces/{namespace}"
    return f"{base}{scope}/{_PLURALS.get(kind, kind.lower() + 's')}/{found['metadata']['name']}"


async def apply(api: KubeApi, found: Mapping[str, Any], namespace: str = "", *query: tuple[str, str]) -> dict[str, Any]:
    """The object after a server-side apply that takes over whatever others have set of it."""
    given = (("fieldManager", "kmcp-tests"), ("force", "true"), ("fieldValidation", "Strict"), *query)
    applied: dict[str, Any] = await api.send("PATCH", path_of(found, namespace), given, dict(found), APPLY)
    return applied
