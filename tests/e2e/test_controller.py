"""An MCPServer of the suite's own image becomes a running server whose status and catalog tell the truth."""

import json
from pathlib import Path
from typing import Any

import pytest

from kmcp_controller.cataloguing import Catalogue
from kmcp_controller.cluster import Cluster
from kmcp_controller.control import Controller, Place
from kmcp_controller.discovery import discover
from kmcp_controller.reconcile import Options
from kmcp_controller.spec import MCPServer, Platform
from kmcp_controller.status import Listing
from kmcp_runtime.catalog import load
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from tests.cluster import suite_images
from tests.cluster.model import Cluster as Given
from tests.controller.driving import Running
from tests.kubernetes.making import make
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(600)]
SERVERS = "/apis/kagent.dev/v1alpha1/namespaces/{}/mcpservers"
PLATFORM = Platform(suite_images=("localhost/kmcp",))
SHIPPED = load((Path(__file__).parents[2] / "catalog.yaml").read_text())


def catalogued(namespace: str, given: Given) -> Any:
    """Gives a controller its live catalog; servers are asked at their Service's address, names being the cluster's."""

    def prepare(controller: Controller, cluster: Cluster) -> None:
        async def ask(server: MCPServer) -> Listing:
            service = await cluster.read("Service", server.namespace, server.name)
            assert service is not None
            host = f"{server.name}.{server.namespace}.svc"
            return await discover(server.url.replace(host, service["spec"]["clusterIP"]), {}, server.timeout)

        Catalogue(controller, cluster, namespace, SHIPPED, PLATFORM, ask=ask, debounce=0.1, interval=0.5)

    return prepare


def manifest(image: str) -> dict[str, Any]:
    flags = ["--host", "0.0.0.0", "--port", "8083", "--allow-unauthenticated"]
    deployment = {"image": image, "imagePullPolicy": "Never", "args": flags, "port": 8083}
    return {
        "apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer",
        "metadata": {"name": "kmcp-kubernetes", "annotations": {"kmcp-suite/catalog-entry": "kmcp-kubernetes"}},
        "spec": {"transportType": "http", "deployment": deployment},
    }  # fmt: skip


async def test_a_server_of_the_suite_becomes_ready_and_catalogued_and_leaves_nothing(
    image: str, definition: None, api: KubeApi, cluster: Given, namespace: str
) -> None:
    options = Options(platform=PLATFORM, entries=SHIPPED.servers, references_seconds=1.0, unready_seconds=(0.5, 1.0))
    place = Place(namespaces=(namespace,))
    running = Running(str(cluster.kubeconfig), options, place, catalogued(namespace, cluster))
    try:
        await make(api, SERVERS.format(namespace), manifest(suite_images.reference("kubernetes")))
        found = await until(lambda: _server(api, namespace), _is_catalogued, 120, "a ready and catalogued server")
        _check_status(found)
        document = await until(lambda: _catalog(api, namespace), bool, 30, "the published catalog")
        (listed,) = document["servers"]
        assert (listed["name"], listed["ready"], listed["match"]) == ("kmcp-kubernetes", True, "Matched")
        assert listed["hash"] == found["status"]["tools"]["hash"] == SHIPPED.servers["kmcp-kubernetes"].hash
        assert {tool["name"] for tool in listed["tools"]} == {
            tool.name for tool in SHIPPED.servers["kmcp-kubernetes"].tools
        }
        await api.send("DELETE", f"{SERVERS.format(namespace)}/kmcp-kubernetes")
        await until(lambda: _catalog(api, namespace), lambda seen: seen["servers"] == [], 60, "an empty catalog")
        await until(lambda: _gone(api, namespace), bool, 60, "the end of what was made")
    finally:
        await running.end()


def _check_status(found: dict[str, Any]) -> None:
    reasons = {each["type"]: (each["status"], each["reason"]) for each in found["status"]["conditions"]}
    assert reasons == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
        "Ready": ("True", "Available"),
        "ToolsDiscovered": ("True", "Discovered"),
        "CatalogMatched": ("True", "Matched"),
    }
    assert found["status"]["tools"]["count"] == 25
    assert found["status"]["serverInfo"]["name"] == "kmcp-kubernetes"
    assert found["status"]["url"].endswith(":8083/mcp")


async def _server(api: KubeApi, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = await api.get(f"{SERVERS.format(namespace)}/kmcp-kubernetes")
    return found


def _is_catalogued(found: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in (found.get("status") or {}).get("conditions") or ()}
    return conditions.get("Ready") == conditions.get("CatalogMatched") == "True"


async def _catalog(api: KubeApi, namespace: str) -> dict[str, Any]:
    try:
        found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/kmcp-catalog")
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return {}
    document: dict[str, Any] = json.loads(found["data"]["catalog.json"])
    return document


async def _gone(api: KubeApi, namespace: str) -> bool:
    paths = [f"/apis/apps/v1/namespaces/{namespace}/deployments", f"/api/v1/namespaces/{namespace}/services"]
    return not any([(await api.get(path))["items"] for path in paths])
