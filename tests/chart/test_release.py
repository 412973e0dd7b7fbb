"""The chart on the real API server: what is rendered is taken, its rights suffice and are no more, nothing stays."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.applying import CLUSTER_WIDE, apply
from tests.chart.rendering import CHART, VALUES, Chart, Object, of_kind
from tests.cluster.model import Cluster
from tests.kubernetes.making import make

_LEFT = (
    "v1/secrets",
    "v1/serviceaccounts",
    "v1/services",
    "v1/configmaps",
    "apps/v1/deployments",
    "kagent.dev/v1alpha1/mcpservers",
    "rbac.authorization.k8s.io/v1/roles",
)

CONTRACT: dict[tuple[str, str], str] = {
    ("kagent.dev", "mcpservers"): "get list watch",
    ("kagent.dev", "mcpservers/status"): "patch",
    ("kagent.dev", "mcpservers/finalizers"): "update",
    ("apps", "deployments"): "get list watch create patch delete",
    ("", "services"): "get list watch create patch delete",
    ("", "serviceaccounts"): "get list watch create patch delete",
    ("", "configmaps"): "get list watch create patch delete",
    ("", "pods"): "get list",
    ("", "namespaces"): "get",
    ("", "events"): "create patch",
    ("", "secrets"): "get",
    ("autoscaling", "horizontalpodautoscalers"): "get list watch",
    ("networking.k8s.io", "networkpolicies"): "get list create patch delete",
    ("kagent.dev", "remotemcpservers"): "get list create patch delete",
}
"""What the controller may do everywhere with the chart's defaults."""
ROLES = dict.fromkeys(
    (("rbac.authorization.k8s.io", "roles"), ("rbac.authorization.k8s.io", "rolebindings")),
    "get list create patch delete",
)


def rights(rules: Iterable[Object]) -> dict[tuple[str, str], str]:
    return {
        (group, resource): " ".join(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def controller_rights(chart: Chart, values: Object) -> dict[tuple[str, str], str]:
    return rights(of_kind(chart.rendered(values), "ClusterRole")["kmcp-controller"]["rules"])


def test_rights_of_the_controller_are_the_contracts(chart: Chart) -> None:
    assert controller_rights(chart, {}) == CONTRACT
    own = of_kind(chart.rendered({}), "Role")["kmcp-controller-own"]["rules"]
    assert rights(own) == {
        ("coordination.k8s.io", "leases"): "get create update",
        ("", "configmaps"): "get list create patch delete",
    }


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({"controller": {"references": {"secrets": "watch"}}}, {("", "secrets"): "get list watch"}),
        ({"controller": {"references": {"secrets": "none"}}}, {("", "secrets"): None}),
        ({"remoteMCPServers": "never"}, {("kagent.dev", "remotemcpservers"): None}),
        ({"catalog": {"pinning": {"allowBlock": True}}}, {("", "pods/status"): "patch"}),
        ({"rbac": {"serverRoles": "derive"}}, ROLES),
        ({"rbac": {"serverRoles": "bind"}}, {**ROLES, ("rbac.authorization.k8s.io", "clusterroles"): "bind"}),
        ({"catalog": {"http": {"auth": "kubernetes"}}}, {}),
    ],
)
def test_a_value_changes_its_rights_alone(chart: Chart, values: Object, changed: dict[Any, str | None]) -> None:
    wanted = {key: verbs for key, verbs in {**CONTRACT, **changed}.items() if verbs}
    assert controller_rights(chart, values) == wanted


def test_named_namespaces_get_a_role_each_and_nothing_is_read_elsewhere(chart: Chart) -> None:
    objects = chart.rendered({"rbac": {"namespaces": ["a", "b"]}, "servers": {"kubernetes": {"rbac": "none"}}})
    roles = [found for found in objects if found["kind"] == "Role"]
    assert {role["metadata"]["namespace"] for role in roles} == {"a", "b", "kmcp-system"}
    assert all(rights(role["rules"]) == CONTRACT for role in roles if role["metadata"]["namespace"] in ("a", "b"))
    # Whose token it is can only be asked of the whole cluster.
    wide = [found for found in objects if found["kind"] in CLUSTER_WIDE]
    assert {found["metadata"]["name"] for found in wide} == {
        "kmcp-token-review",
        "kmcp-controller-tenants",
        "kmcp-system-kmcp-tenants",
        "kmcp-system-kmcp-mcpservers-edit",
        "kmcp-system-kmcp-mcpservers-view",
    }
    (rule,) = of_kind(objects, "ClusterRole")["kmcp-token-review"]["rules"]
    assert (rule["resources"], rule["verbs"]) == (["tokenreviews"], ["create"])


@pytest.mark.cluster
@pytest.mark.parametrize("name", VALUES)
async def test_the_api_server_takes_every_object(api: KubeApi, namespace: str, chart: Chart, name: str) -> None:
    for found in chart.rendered(VALUES[name], namespace, namespace):
        elsewhere = "namespace" in found["metadata"] and found["metadata"]["namespace"] != namespace
        if elsewhere:
            found["metadata"]["namespace"] = namespace
        if found["kind"] in ("PrometheusRule", "ServiceMonitor"):
            continue  # no Prometheus operator defines it here
        await apply(api, found, namespace, ("dryRun", "All"))


@pytest.mark.cluster
async def test_the_controller_passes_restricted_pod_security(api: KubeApi, namespace: str, chart: Chart) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), label, "application/merge-patch+json")
    for values in VALUES.values():
        (deployment,) = of_kind(chart.rendered(values), "Deployment").values()
        spec = {**deployment["spec"]["template"]["spec"], "serviceAccountName": "default"}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "controller"}, "spec": spec}
        await api.send("POST", f"/api/v1/namespaces/{namespace}/pods", (("dryRun", "All"),), body)
        spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(StatusFailure, match="restricted"):
            await api.send("POST", f"/api/v1/namespaces/{namespace}/pods", (("dryRun", "All"),), body)


@pytest.mark.cluster
async def test_a_release_lives_and_leaves(
    api: KubeApi, cluster: Cluster, namespace: str, chart: Chart, tmp_path: Path
) -> None:
    async with release(chart, cluster, namespace, tmp_path, "controller.replicaCount=0"):
        secret = await api.get(f"/api/v1/namespaces/{namespace}/secrets/{namespace}-kmcp-state")
        assert secret["data"]["KMCP_STATE_KEY"]
        await helm(
            chart,
            cluster,
            tmp_path,
            "upgrade",
            namespace,
            str(CHART),
            "-n",
            namespace,
            "--reuse-values",
            "--set",
            "servers.kubernetes.values.KMCP_TIMEOUT=60",
        )
        after = await api.get(f"/api/v1/namespaces/{namespace}/secrets/{namespace}-kmcp-state")
        assert after["data"] == secret["data"]
        server = await api.get(f"/apis/kagent.dev/v1alpha1/namespaces/{namespace}/mcpservers/kmcp-kubernetes")
        assert server["spec"]["deployment"]["env"]["KMCP_TIMEOUT"] == "60"
        assert "finalizers" not in server["metadata"]
        await rights_hold(api, namespace)
    for kind in _LEFT:
        root = "api" if kind.startswith("v1/") else "apis"
        group, plural = kind.rsplit("/", 1)
        left = (await api.get(f"/{root}/{group}/namespaces/{namespace}/{plural}"))["items"]
        names = {found["metadata"]["name"] for found in left}
        assert names <= {"default", "kube-root-ca.crt"}, plural
    roles = (await api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles"))["items"]
    assert not [role for role in roles if role["metadata"]["name"].startswith(namespace)]


async def rights_hold(api: KubeApi, namespace: str) -> None:
    """Ask the API server itself what the two ServiceAccounts of the default values may do."""
    server = f"system:serviceaccount:{namespace}:kmcp-kubernetes"
    controller = f"system:serviceaccount:{namespace}:{namespace}-kmcp"
    granted = [
        (server, "list", "", "pods"),
        (server, "get", "", "pods/log"),
        (server, "list", "", "nodes"),
        (server, "list", "apiextensions.k8s.io", "customresourcedefinitions"),
        (server, "list", "metrics.k8s.io", "pods"),
        (server, "create", "authentication.k8s.io", "tokenreviews"),
        (controller, "watch", "kagent.dev", "mcpservers"),
        (controller, "patch", "kagent.dev", "mcpservers/status"),
        (controller, "create", "apps", "deployments"),
        (controller, "update", "coordination.k8s.io", "leases"),
    ]
    withheld = [
        (server, "get", "", "secrets"),
        (server, "create", "", "pods"),
        (server, "create", "", "pods/exec"),
        (server, "patch", "apps", "deployments"),
        (controller, "create", "kagent.dev", "mcpservers"),
        (controller, "delete", "kagent.dev", "mcpservers"),
        (controller, "list", "", "secrets"),
        (controller, "create", "rbac.authorization.k8s.io", "roles"),
        (controller, "update", "apps", "deployments"),
    ]
    answers = {ask: await allowed(api, namespace, *ask) for ask in granted + withheld}
    assert [ask for ask in granted if not answers[ask]] == []
    assert [ask for ask in withheld if answers[ask]] == []


async def allowed(api: KubeApi, namespace: str, user: str, verb: str, group: str, resource: str) -> bool:
    plural, _, subresource = resource.partition("/")
    asked = {"namespace": namespace, "verb": verb, "group": group, "resource": plural, "subresource": subresource}
    spec = {"user": user, "resourceAttributes": asked}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = await make(api, "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


@asynccontextmanager
async def release(chart: Chart, cluster: Cluster, namespace: str, home: Path, *sets: str) -> AsyncIterator[None]:
    """The chart, installed under the namespace's name until the end of the block."""
    given = [argument for each in sets for argument in ("--set", each)]
    await helm(chart, cluster, home, "install", namespace, str(CHART), "-n", namespace, *given)
    try:
        yield
    finally:
        await helm(chart, cluster, home, "uninstall", namespace, "-n", namespace, "--wait")


async def helm(chart: Chart, cluster: Cluster, home: Path, *arguments: str) -> None:
    variables = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(home)}
    await asyncio.to_thread(chart.run, *arguments, **variables)
