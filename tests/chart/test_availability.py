"""What a platform asks of a chart: bounds, budgets, spread, autoscaling, TLS at the door, roles for people."""

import pytest

from kmcp_controller.catalog.door_servers import CONFIG_MAP, KEY
from kmcp_controller.render import pod
from kmcp_controller.spec import Platform, parse
from kmcp_runtime.kube.api import KubeApi
from tests.chart.rendering import Chart, Object, of_kind

PLATFORM = Platform(suite_images=("localhost/kmcp/kmcp",))
DOOR: Object = {
    "enabled": True,
    "hostname": "mcp.example.com",
    "tlsSecret": "mcp-tls",
    "fromNamespaces": ["ingress"],
    "allowedOrigins": ["https://console.example.com"],
}
EVERYTHING: Object = {
    "controller": {"replicaCount": 2},
    "composed": {"enabled": True, "autoscaling": {"minReplicas": 2, "maxReplicas": 5}},
    "servers": {
        "kubernetes": {"deployment": {"replicas": 3, "resources": {"limits": {"memory": "1Gi"}}}},
        "clock": {"enabled": True},
        "helm": {"enabled": True, "rbac": "full", "autoscaling": {"maxReplicas": 3}},
    },
}


@pytest.fixture
def objects(chart: Chart) -> list[Object]:
    return chart.rendered(EVERYTHING)


def pods(objects: list[Object]) -> dict[str, Object]:
    """The pods of the release: the controller's, and those that the controller makes."""
    (deployment,) = of_kind(objects, "Deployment").values()
    made = {name: pod(parse(each, PLATFORM), PLATFORM) for name, each in of_kind(objects, "MCPServer").items()}
    return {"controller": deployment["spec"]["template"]["spec"], **made}


def test_every_container_has_requests_and_limits(objects: list[Object]) -> None:
    found = pods(objects)
    for name, spec in found.items():
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            for kind in ("requests", "limits"):
                assert container["resources"][kind].keys() >= {"cpu", "memory"}, (name, container["name"])
    given = found["kmcp-kubernetes"]["containers"][0]["resources"]
    assert (given["limits"]["memory"], given["requests"]["memory"]) == ("1Gi", "128Mi"), "each over its default"


def test_several_pods_have_a_budget_and_are_spread(objects: list[Object]) -> None:
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert budgets.keys() == {"kmcp-controller", "kmcp-kubernetes", "kagent-tools"}, (
        "one pod with a budget blocks a drain"
    )
    for name in ("kmcp-kubernetes", "kagent-tools"):
        assert budgets[name]["spec"]["selector"]["matchLabels"] == {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": name,
        }
    found = pods(objects)
    assert {each["topologyKey"] for each in found["controller"]["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert {name for name, spec in found.items() if "podAntiAffinity" in spec.get("affinity", {})} == {
        "kmcp-kubernetes",
        "kagent-tools",
        "kmcp-helm",
    }


def test_an_autoscaler_is_for_the_deployment_that_the_controller_makes(objects: list[Object]) -> None:
    found = of_kind(objects, "HorizontalPodAutoscaler")
    assert {name: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"]) for name, each in found.items()} == {
        "kagent-tools": (2, 5),
        "kmcp-helm": (1, 3),
    }
    assert all(each["spec"]["scaleTargetRef"]["name"] == name for name, each in found.items())


@pytest.mark.parametrize("by", ["ingress", "httproute"])
def test_the_door_leads_to_the_composed_server_with_its_hosts(chart: Chart, by: str) -> None:
    parents = {"parentRefs": [{"name": "public", "namespace": "ingress"}]} if by == "httproute" else {}
    objects = chart.rendered({"expose": {**DOOR, "by": by, **parents}, "composed": {"only": True}})
    server = of_kind(objects, "MCPServer")["kagent-tools"]
    env = server["spec"]["deployment"]["env"]
    hosts = env["KMCP_ALLOWED_HOSTS"].split(",")
    assert {"mcp.example.com", "kagent-tools.kmcp-system", "kagent-tools.kmcp-system.svc"} <= set(hosts)
    assert env["KMCP_ALLOWED_ORIGINS"] == "https://mcp.example.com,https://console.example.com"
    assert env["KMCP_TOKEN_REVIEW"] == "true", "no one is let in for having found the name"
    peers = parse(server, PLATFORM).extensions.network
    assert peers is not None
    assert "ingress" in str(peers.ingress_from)
    if by == "ingress":
        spec = of_kind(objects, "Ingress")["kmcp"]["spec"]
        assert spec["tls"] == [{"hosts": ["mcp.example.com"], "secretName": "mcp-tls"}]
        assert spec["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "kagent-tools"
    else:
        spec = of_kind(objects, "HTTPRoute")["kmcp"]["spec"]
        assert spec["hostnames"] == ["mcp.example.com"]
        assert spec["rules"][0]["backendRefs"] == [{"name": "kagent-tools", "port": 8084}]


def test_the_door_leads_to_the_only_server_and_others_keep_their_hosts(chart: Chart) -> None:
    objects = chart.rendered({"expose": DOOR})
    path = of_kind(objects, "Ingress")["kmcp"]["spec"]["rules"][0]["http"]["paths"][0]
    assert (path["path"], path["backend"]["service"]["name"]) == ("/mcp", "kmcp-kubernetes")
    both = chart.rendered({"expose": DOOR, "composed": {"enabled": True}})
    env = {name: each["spec"]["deployment"]["env"] for name, each in of_kind(both, "MCPServer").items()}
    assert "KMCP_ALLOWED_HOSTS" not in env["kmcp-kubernetes"]


def test_foreign_servers_are_behind_the_composed_one_when_that_is_wanted(chart: Chart) -> None:
    """Its file is the controller's ConfigMap, which may come later, beside what the values mount themselves."""
    own = {"name": "mine", "emptyDir": {}}
    given = {"enabled": True, "foreign": True, "deployment": {"volumes": [own]}}
    server = of_kind(chart.rendered({"composed": given}), "MCPServer")["kagent-tools"]
    deployment = server["spec"]["deployment"]
    assert parse(server, PLATFORM).deployment.volumes
    (mount,) = [each for each in deployment["volumeMounts"] if each["name"] == "door-servers"]
    assert deployment["env"]["KMCP_DOOR_SERVERS"] == f"{mount['mountPath']}/{KEY}"
    source = {"name": CONFIG_MAP, "optional": True}
    assert deployment["volumes"] == [own, {"name": "door-servers", "configMap": source}]
    without = of_kind(chart.rendered({"composed": {"enabled": True}}), "MCPServer")["kagent-tools"]
    assert "KMCP_DOOR_SERVERS" not in without["spec"]["deployment"]["env"]


REFUSED: list[tuple[Object, str]] = [
    ({"expose": {**DOOR, "hostname": ""}}, "expose.hostname: required with expose.enabled"),
    ({"expose": {**DOOR, "hostname": "https://x"}}, "/expose/hostname"),
    ({"expose": {**DOOR, "tlsSecret": ""}}, "expose.tlsSecret: required, since tokens travel in each call"),
    ({"expose": {**DOOR, "by": "httproute"}}, "expose.parentRefs: required with by: httproute"),
    ({"expose": {**DOOR, "fromNamespaces": []}}, "expose.fromNamespaces: required"),
    ({"expose": DOOR, "authentication": {"enabled": False}}, "whoever finds the name could call every tool"),
    ({"expose": DOOR, "servers": {"clock": {"enabled": True}}}, "one name leads to one server; set composed.only"),
    ({"servers": {"kubernetes": {"autoscaling": {"minReplicas": 2}}}}, "/servers/kubernetes/autoscaling"),
    (
        {"servers": {"kubernetes": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}}},
        "minReplicas is more than max",
    ),
    ({"tenants": {"enable": False}}, "additional properties 'enable' not allowed"),
    ({"tenants": {"allow": {"serviceAccount": ["x"]}}}, "additional properties 'serviceAccount' not allowed"),
    ({"composed": {"alone": True}}, "additional properties 'alone' not allowed"),
    ({"rbac": {"clusterScoped": "write"}}, "/rbac/clusterScoped"),
    ({"rbac": {"kinds": [{"resources": ["pods"]}]}}, "/rbac/kinds/0"),
]


@pytest.mark.parametrize(("values", "complaint"), REFUSED)
def test_values_that_cannot_work_are_refused(chart: Chart, values: Object, complaint: str) -> None:
    assert complaint in chart.refused(values)


@pytest.mark.cluster
async def test_a_namespace_that_enforces_restricted_admits_every_pod(
    api: KubeApi, namespace: str, objects: list[Object]
) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), label, "application/merge-patch+json")
    for name, spec in pods(objects).items():
        body = {"metadata": {"name": name}, "spec": {**spec, "serviceAccountName": "default"}}
        await api.send("POST", f"/api/v1/namespaces/{namespace}/pods", (("dryRun", "All"),), body)
