"""Deleting policies that need no agent: what was approved, and nothing that took its place."""

from typing import Any

import pytest
from fastmcp import Client

from kmcp_cilium.server import SERVER
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.asked import refused_as_changed, yes_after
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

pytestmark = pytest.mark.cluster
MERGE = "application/merge-patch+json"


def policy(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"tier": "a"}}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}}


@pytest.mark.parametrize("label", ["k8s:", "any:", "k8s:any:", "k8s: ", " any:"])
async def test_a_label_without_a_key_selects_nothing(
    cluster: Cluster, api: KubeApi, namespace: str, label: str
) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    await make(api, path, policy("one"))
    settings = CiliumSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        about: dict[str, Any] = {"kind": "NetworkPolicy", "namespace": namespace}
        refused = await ToolCaller(client).fails("cilium_delete_policy_rules", **about, labels=[label])
        assert (refused["code"], "has no key" in refused["message"]) == ("bad_argument", True)
        found = await ToolCaller(client).ok(
            "cilium_delete_policy_rules", **about, labels=["k8s:tier=a", " tier"], dry_run=True
        )
    assert [each["name"] for each in found["items"]] == ["one"]


@pytest.mark.parametrize("meant", [{"name": "one"}, {"labels": ["tier=a"]}, {"all": True}])
@pytest.mark.parametrize("change", ["replaced", "changed", "joined"])
async def test_A4_what_others_put_in_its_place_survives(
    cluster: Cluster, api: KubeApi, namespace: str, meant: dict[str, Any], change: str
) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    await make(api, path, policy("one"))

    async def meanwhile() -> None:
        if change == "replaced":
            await api.send("DELETE", f"{path}/one")
            await make(api, path, policy("one"))
        elif change == "changed":
            await api.send("PATCH", f"{path}/one", (), {"spec": {"podSelector": {"matchLabels": {"a": "c"}}}}, MERGE)
        else:
            await make(api, path, policy("two"))

    settings = CiliumSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    arguments = {"kind": "NetworkPolicy", "namespace": namespace, **meant}
    async with yes_after(SERVER, settings, meanwhile) as caller:
        if change == "joined" and "name" in meant:
            await caller.ok("cilium_delete_policy_rules", **arguments)
        else:
            await refused_as_changed(caller, "cilium_delete_policy_rules", **arguments)
    left = {found["metadata"]["name"] for found in (await api.get(path))["items"]}
    assert left == {"one", "two"} - ({"two"} if change != "joined" else {"one"} if "name" in meant else set())
