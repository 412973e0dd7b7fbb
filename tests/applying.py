"""The API server of a test cluster, and objects as manifests hold them applied to it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cluster.model import Cluster
from tests.patience import limits

APPLY = "application/apply-patch+yaml"
CLUSTER_WIDE = (
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
)
_PLURALS = {"NetworkPolicy": "networkpolicies", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[KubeApi]:
    """Its API server, with the administrator's credentials."""
    contexts = load_contexts(str(cluster.kubeconfig))
    found = KubeApi(contexts, contexts.named(None), limits())
    yield found
    await found.close()


def path_of(found: Mapping[str, Any], namespace: str) -> str:
    group, kind = found["apiVersion"], found["kind"]
    base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
    scope = "" if kind in CLUSTER_WIDE else f"/namespaces/{namespace}"
    return f"{base}{scope}/{_PLURALS.get(kind, kind.lower() + 's')}/{found['metadata']['name']}"


async def apply(api: KubeApi, found: Mapping[str, Any], namespace: str = "", *query: tuple[str, str]) -> dict[str, Any]:
    """The object after a server-side apply that takes over whatever others have set of it."""
    # Strict, or a field that is misspelt in a test would be dropped without a word.
    given = (("fieldManager", "kmcp-tests"), ("force", "true"), ("fieldValidation", "Strict"), *query)
    applied: dict[str, Any] = await api.send("PATCH", path_of(found, namespace), given, dict(found), APPLY)
    return applied
