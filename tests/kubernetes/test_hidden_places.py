"""Secrets in places beside the data of a Secret: printer columns (L8) and errors that repeat an object (L9)."""

import json
import uuid

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import custom_kind, make, make_when_served
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VALUE = "Zq7planted-9Pc"
COLUMNS = [
    {"name": "Token", "type": "string", "jsonPath": ".spec.a"},
    {"name": "Password", "type": "string", "jsonPath": ".spec.b"},
    {"name": "Size", "type": "string", "jsonPath": ".spec.c"},
]


async def test_L8_a_printer_column_is_hidden_by_its_name(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    plural = f"columned{uuid.uuid4().hex[:6]}s"
    crd = custom_kind(plural, "example.org", plural.capitalize())
    version = crd["spec"]["versions"][0]
    version["additionalPrinterColumns"] = COLUMNS
    version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    await make(api, CRDS, crd)
    thing = {
        "apiVersion": "example.org/v1",
        "kind": plural.capitalize(),
        "metadata": {"name": "one"},
        "spec": {"a": VALUE, "b": f"{VALUE}-2", "c": "large-7"},
    }
    await make_when_served(api, f"/apis/example.org/v1/namespaces/{namespace}/{plural}", thing)
    about = {"resource_type": f"{plural}.example.org", "namespace": namespace}

    async def listed() -> dict[str, object]:
        return await tools.ok("k8s_get_resources", **about)

    found = await until(listed, lambda table: "Token" in str(table.get("columns")), what="the columns served")
    assert VALUE not in json.dumps(found)
    assert "large-7" in json.dumps(found)
    await api.send("DELETE", f"{CRDS}/{plural}.example.org")


async def test_L9_an_error_does_not_repeat_the_values_of_a_pod(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = pod("web", "none", schedulerName="none")
    names = ("PLAIN", "DB_PASSWORD", "GREETING")
    body["spec"]["containers"][0]["env"] = [{"name": name, "value": f"{VALUE}-{name}"} for name in names]
    await make(api, f"/api/v1/namespaces/{namespace}/pods", body)
    patch = {"spec": {"containers": [{"name": body["spec"]["containers"][0]["name"], "workingDir": "/x"}]}}
    failed = await tools.fails(
        "k8s_patch_resource", resource_type="pod", resource_name="web", namespace=namespace, patch=patch, dry_run=True
    )
    assert "may not change fields other than" in failed["message"]
    assert VALUE not in json.dumps(failed)
