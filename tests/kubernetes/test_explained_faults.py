"""Descriptions and checks that name the cause as the real tools do, and that invent none where it is not known."""

from collections.abc import Mapping
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pods_path
from tests.kubernetes.places import Place
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster
Object = dict[str, Any]
DESCRIBE = "k8s_describe_resource"
_TEAM = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
_POLICIES: Mapping[str, tuple[Object, Object]] = {
    "deny": (
        {"podSelector": {}, "policyTypes": ["Ingress"]},
        {
            "pods": "all pods of this namespace",
            "ingress": ["nothing is let through: these pods are isolated"],
            "egress": ["not restricted by this policy"],
        },
    ),
    "open": (
        {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}]},
        {
            "pods": "pods app=web of this namespace",
            "ingress": ["from everywhere; on every port"],
            "egress": ["nothing is let through: these pods are isolated"],
        },
    ),
    "narrow": (
        {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": {}},
                        _TEAM,
                        {**_TEAM, "podSelector": {"matchLabels": {"app": "b"}}},
                        {"namespaceSelector": {}},
                    ],
                    "ports": [{"port": "http"}, {"port": 8000, "endPort": 9000, "protocol": "UDP"}],
                }
            ],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
        },
        {
            "ingress": [
                "from all pods of this namespace, all pods of namespaces team=a, pods app=b of namespaces team=a, "
                "all pods of every namespace; on http/TCP, 8000-9000/UDP"
            ],
            "egress": ["to 10.0.0.0/8 except 10.1.0.0/16; on every port"],
        },
    ),
}


async def test_a_network_policy_says_what_it_lets_through(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """An empty selector takes every pod: `none` read as if it took none."""
    for name, (spec, expected) in _POLICIES.items():
        path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
        await make(api, path, {"metadata": {"name": name}, "spec": spec})
        found = await tools.ok(DESCRIBE, resource_type="netpol", resource_name=name, namespace=namespace)
        assert expected.items() <= found["details"].items(), found["details"]


async def test_an_autoscaler_without_a_target_says_so(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    await make(api, path, {"metadata": {"name": "orphan"}, "spec": {"scaleTargetRef": target, "maxReplicas": 5}})

    async def look() -> Object:
        return await tools.ok(DESCRIBE, resource_type="hpa", resource_name="orphan", namespace=namespace)

    found = await until(look, lambda seen: bool(seen["conditions"]), 60, "what the autoscaler found")
    assert found["details"]["replicas"] == "1 to 5 replicas, now 0, wants unknown (FailedGetScale)"
    assert found["related"] == [{"kind": "Deployment", "name": "gone", "state": "missing"}]
    unknown = {"apiVersion": "no.example/v1", "kind": "Widget", "name": "gone"}
    await make(api, path, {"metadata": {"name": "odd"}, "spec": {"scaleTargetRef": unknown, "maxReplicas": 5}})
    odd = await tools.ok(DESCRIBE, resource_type="hpa", resource_name="odd", namespace=namespace)
    assert odd["related"][0]["state"].startswith("unknown: the cluster has no API group")


async def test_why_a_claim_is_pending_is_said_beside_its_pod(place: Place, tools: ToolCaller) -> None:
    """The controller reports it with an event of type Normal; an ephemeral volume has a claim, too."""
    api, namespace = place.api, place.namespace
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    # An empty class is none, even where the cluster has a default one.
    await make(api, path, {"metadata": {"name": "files"}, "spec": {**wanted, "storageClassName": ""}})
    volumes = [
        {"name": "files", "persistentVolumeClaim": {"claimName": "files"}},
        {"name": "brief", "ephemeral": {"volumeClaimTemplate": {"spec": {**wanted, "storageClassName": ""}}}},
    ]
    await make(api, pods_path(namespace), pod("web", "none", schedulerName="none", volumes=volumes))

    async def look() -> dict[str, str]:
        found = await tools.ok(DESCRIBE, resource_type="pod", resource_name="web", namespace=namespace)
        return {each["name"]: each["state"] for each in found["related"]}

    why = "Pending: FailedBinding: no persistent volumes available for this claim and no storage class is set"
    await until(look, lambda states: states == {"files": why, "web-brief": why}, 60, "both claims with their reason")
    used = await tools.ok(DESCRIBE, resource_type="pvc", resource_name="web-brief", namespace=namespace)
    assert [each["name"] for each in used["related"]] == ["web"]


async def test_a_service_whose_addresses_are_written_by_hand(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """The API server's proxy says that the Service is not found."""
    await make(
        api,
        f"/api/v1/namespaces/{namespace}/services",
        {"metadata": {"name": "outside"}, "spec": {"ports": [{"port": 80}]}},
    )
    body = {
        "metadata": {"name": "outside-1", "labels": {"kubernetes.io/service-name": "outside"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080}],
        "endpoints": [{"addresses": ["10.9.9.8"], "conditions": {"ready": True}}],
    }
    await make(api, f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", body)
    found = await tools.ok("k8s_check_service_connectivity", service_name="outside", namespace=namespace)
    assert (found["stage"], found["ready_endpoints"]) == ("connect", 1)
    assert "needs an Endpoints object" in found["reason"]
    assert "mode=pod" in found["reason"]
    url = await tools.fails("k8s_check_service_connectivity", service_name=f"http://outside.{namespace}:80/health")
    assert url["code"] == "bad_argument"
    assert "path" in url["hint"]


async def test_a_restart_that_restarts_nothing_says_so(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """The strategy OnDelete leaves every pod as it is until someone deletes it."""
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": pod("db", "none", schedulerName="none")["spec"]}
    spec = {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": labels}, "template": template}
    for name, strategy in (("manual", "OnDelete"), ("rolling", "RollingUpdate")):
        body = {"metadata": {"name": name}, "spec": {**spec, "updateStrategy": {"type": strategy}}}
        await make(api, f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body)
        about = {"resource_type": "statefulset", "resource_name": name, "namespace": namespace}
        done = await tools.ok("k8s_rollout", action="restart", **about, dry_run=True)
        assert ("OnDelete" in str(done.get("warnings"))) == (strategy == "OnDelete")


async def test_a_write_into_a_misspelt_namespace_names_the_near_one(tools: ToolCaller, namespace: str) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    for tool, argument in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
        error = await tools.fails(tool, **{argument: manifest}, namespace=f"{namespace}0")
        assert (error["code"], error["message"]) == ("not_found", f"namespace '{namespace}0' does not exist")
        assert namespace in error["hint"]


async def test_an_empty_selector_is_not_none(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """It takes every pod, and reads as what it is: `none` would be a text, or nothing."""
    keep = {"metadata": {"name": "all"}, "spec": {"minAvailable": 1, "selector": {}}}
    await make(api, f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", keep)
    told = await tools.text(DESCRIBE, resource_type="pdb", resource_name="all", namespace=namespace)
    assert "selector: {}" in told
    assert "related: none" in told
