"""Waypoints on the real API server: drafted, applied, followed, deleted, and every refusal."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_istio.analysis.snapshot import NETWORKING
from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_istio.tools.waypoint_changes import FIELD_MANAGER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.asked import refused_as_changed, yes_after
from tests.hiding import without_groups
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
GROUP = "gateway.networking.k8s.io"
GATEWAYS = f"/apis/{GROUP}/v1/namespaces"


def gateway(name: str, gateway_class: str) -> dict[str, Any]:
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    spec = {"gatewayClassName": gateway_class, "listeners": [listener]}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Gateway", "metadata": {"name": name}, "spec": spec}


async def label(api: KubeApi, namespace: str, **labels: str | None) -> None:
    body = {"metadata": {"labels": {f"istio.io/{key.replace('_', '-')}": value for key, value in labels.items()}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), body, "application/merge-patch+json")


async def program(api: KubeApi, namespace: str, name: str) -> None:
    """Say what a controller says once the waypoint's proxy runs: no Envoy is to be had here."""
    condition = {"status": "True", "reason": "Programmed", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    conditions = [{**condition, "type": "Accepted", "reason": "Accepted"}, {**condition, "type": "Programmed"}]
    listeners = [{"name": "mesh", "attachedRoutes": 2, "supportedKinds": [], "conditions": []}]
    addresses = [{"type": "IPAddress", "value": "10.0.0.1"}]
    body = {"status": {"conditions": conditions, "listeners": listeners, "addresses": addresses}}
    path = f"{GATEWAYS}/{namespace}/gateways/{name}/status"
    await api.send("PATCH", path, (), body, "application/merge-patch+json")


async def test_a_waypoint_goes_round(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"{GATEWAYS}/{namespace}/gateways"
    drafted = await tools.ok("istio_generate_waypoint", namespace=namespace, traffic_type="all", revision="canary")
    assert drafted.keys() == {"yaml"}
    wanted = yaml.safe_load(drafted["yaml"])
    assert wanted["metadata"]["labels"] == {"istio.io/waypoint-for": "all", "istio.io/rev": "canary"}
    rehearsed = await tools.ok("istio_apply_waypoint", namespace=namespace, traffic_type="all", dry_run=True)
    assert (rehearsed["result"], rehearsed["changed"], rehearsed["dry_run"]) == ("created", True, True)
    assert (await api.get(path))["items"] == []
    assert "ambient" in rehearsed["warnings"][0]
    applied = await tools.ok("istio_apply_waypoint", namespace=namespace, traffic_type="all")
    assert (applied["result"], applied["programmed"], applied["enrolled"]) == ("created", False, False)
    assert "+  gatewayClassName: istio-waypoint" in applied["diff"]
    (made,) = (await api.get(path))["items"]
    assert made["spec"] == wanted["spec"] | {"listeners": made["spec"]["listeners"]}
    assert made["metadata"]["labels"] == {"istio.io/waypoint-for": "all"}
    assert FIELD_MANAGER in {entry["manager"] for entry in made["metadata"]["managedFields"]}
    again = await tools.ok("istio_apply_waypoint", namespace=namespace, traffic_type="all")
    assert (again["result"], again["changed"]) == ("unchanged", False)
    assert "diff" not in again
    plain = await tools.ok("istio_apply_waypoint", namespace=namespace)
    assert plain["result"] == "configured"
    assert "-    istio.io/waypoint-for: all" in plain["diff"]
    (waiting,) = (await tools.ok("istio_waypoint_status", namespace=namespace))["items"]
    assert (waiting["programmed"], waiting["accepted"], waiting["attached_routes"]) == (False, False, 0)
    late = await tools.ok("istio_waypoint_status", namespace=namespace, wait=True, timeout_seconds=1)
    assert late["timed_out"] is True
    await program(api, namespace, "waypoint")
    done = await tools.ok("istio_waypoint_status", namespace=namespace, name="waypoint", wait=True)
    assert done["items"] == [
        {
            "namespace": namespace,
            "name": "waypoint",
            "programmed": True,
            "accepted": True,
            "reason": "Programmed",
            "message": "",
            "addresses": ["10.0.0.1"],
            "attached_routes": 2,
        }
    ]
    assert "timed_out" not in done
    rehearsed = await tools.ok("istio_delete_waypoint", namespace=namespace, names=["waypoint"], dry_run=True)
    assert rehearsed["items"] == [{"name": "waypoint", "result": "deleted"}]
    assert len((await api.get(path))["items"]) == 1
    deleted = await tools.ok("istio_delete_waypoint", namespace=namespace, names=["waypoint", "other"])
    assert deleted["items"] == [
        {"name": "waypoint", "result": "deleted"},
        {"name": "other", "result": "not_found"},
    ]
    assert (await api.get(path))["items"] == []


@pytest.mark.parametrize("meant", [{"names": ["waypoint"]}, {"all": True}])
@pytest.mark.parametrize("change", ["replaced", "changed", "joined"])
async def test_A4_a_waypoint_that_others_put_in_its_place_survives(
    tools: ToolCaller, settings: IstioSettings, api: KubeApi, namespace: str, meant: dict[str, Any], change: str
) -> None:
    path = f"{GATEWAYS}/{namespace}/gateways"
    await tools.ok("istio_apply_waypoint", namespace=namespace)

    async def meanwhile() -> None:
        if change == "replaced":
            await api.send("DELETE", f"{path}/waypoint")
            await tools.ok("istio_apply_waypoint", namespace=namespace)
        elif change == "changed":
            body = {"metadata": {"labels": {"istio.io/waypoint-for": "all"}}}
            await api.send("PATCH", f"{path}/waypoint", (), body, "application/merge-patch+json")
        else:
            await tools.ok("istio_apply_waypoint", namespace=namespace, name="second")

    async with yes_after(SERVER, settings, meanwhile) as caller:
        if change == "joined" and "names" in meant:
            await caller.ok("istio_delete_waypoint", namespace=namespace, **meant)
        else:
            await refused_as_changed(caller, "istio_delete_waypoint", namespace=namespace, **meant)
    left = {found["metadata"]["name"] for found in (await api.get(path))["items"]}
    kept = {"second"} if "names" in meant else {"waypoint", "second"}
    assert left == (kept if change == "joined" else {"waypoint"})


async def test_A4_the_status_of_a_waypoint_voids_no_yes(
    tools: ToolCaller, settings: IstioSettings, api: KubeApi, namespace: str
) -> None:
    await tools.ok("istio_apply_waypoint", namespace=namespace)

    async def meanwhile() -> None:
        await program(api, namespace, "waypoint")

    async with yes_after(SERVER, settings, meanwhile) as caller:
        await caller.ok("istio_delete_waypoint", namespace=namespace, names=["waypoint"])
    assert (await api.get(f"{GATEWAYS}/{namespace}/gateways"))["items"] == []


async def test_who_uses_a_waypoint(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await label(api, namespace, dataplane_mode="ambient")
    first = await tools.ok("istio_apply_waypoint", namespace=namespace, enroll_namespace=True)
    assert first["enrolled"] is True
    assert "warnings" not in first
    assert "+  istio.io/use-waypoint: waypoint" in first["diff"]
    service = {
        "metadata": {"name": "reviews", "labels": {"istio.io/use-waypoint": "waypoint"}},
        "spec": {"ports": [{"port": 80}]},
    }
    await make(api, f"/api/v1/namespaces/{namespace}/services", service)
    listed = await tools.ok("istio_list_waypoints", namespace=namespace)
    assert listed["items"] == [
        {
            "namespace": namespace,
            "name": "waypoint",
            "programmed": False,
            "enrolled": [f"namespace/{namespace}", f"service/{namespace}/reviews"],
        }
    ]
    everywhere = await tools.ok("istio_list_waypoints")
    assert listed["items"][0] in everywhere["items"]
    refused = await tools.fails("istio_apply_waypoint", namespace=namespace, name="second", enroll_namespace=True)
    assert refused["code"] == "conflict"
    assert "'waypoint'" in refused["message"]
    assert "overwrite" in refused["hint"]
    assert len((await api.get(f"{GATEWAYS}/{namespace}/gateways"))["items"]) == 1
    second = await tools.ok(
        "istio_apply_waypoint", namespace=namespace, name="second", enroll_namespace=True, overwrite=True
    )
    assert second["enrolled"] is True
    gone = await tools.ok("istio_delete_waypoint", namespace=namespace, all=True)
    assert {item["name"] for item in gone["items"]} == {"waypoint", "second"}
    assert set(gone["dangling"]) == {f"namespace/{namespace}", f"service/{namespace}/reviews"}
    assert "istio.io/use-waypoint" in gone["hint"]
    empty = await tools.ok("istio_delete_waypoint", namespace=namespace, all=True)
    assert (empty["items"], empty["changed"]) == ([], False)
    assert "no waypoint" in empty["hint"]
    assert "no waypoint" in (await tools.ok("istio_list_waypoints", namespace=namespace))["hint"]


async def test_I1_a_namespace_that_uses_a_waypoint_of_another_one_is_not_enrolled(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    about = {"namespace": namespace, "enroll_namespace": True}
    for labels in ({"use_waypoint": "waypoint", "use_waypoint_namespace": "other"}, {"use_waypoint": None}):
        await label(api, namespace, **labels)
        refused = await tools.fails("istio_apply_waypoint", **about)
        assert (refused["code"], "of namespace 'other'" in refused["message"]) == ("conflict", True)
        plain = await tools.ok("istio_apply_waypoint", namespace=namespace)
        (listed,) = (await tools.ok("istio_list_waypoints", namespace=namespace))["items"]
        assert (plain["enrolled"], listed["enrolled"]) == (False, [])
    replaced = await tools.ok("istio_apply_waypoint", **about, overwrite=True)
    (listed,) = (await tools.ok("istio_list_waypoints", namespace=namespace))["items"]
    assert (replaced["enrolled"], listed["enrolled"]) == (True, [f"namespace/{namespace}"])
    assert "-  istio.io/use-waypoint-namespace: other" in replaced["diff"]
    await label(api, namespace, use_waypoint_namespace=namespace)
    again = await tools.ok("istio_apply_waypoint", **about)
    assert (again["enrolled"], again["changed"]) == (True, False)


async def test_I2_entries_that_use_a_waypoint_are_listed_and_left_dangling(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    await tools.ok("istio_apply_waypoint", namespace=namespace)
    named = {"labels": {"istio.io/use-waypoint": "waypoint"}}
    for plural, kind, spec in (
        ("serviceentries", "ServiceEntry", {"hosts": ["a.example.com"], "ports": [{"number": 80, "name": "http"}]}),
        ("workloadentries", "WorkloadEntry", {"address": "192.0.2.1"}),
    ):
        body = {"apiVersion": f"{NETWORKING}/v1", "kind": kind, "metadata": {"name": "outside", **named}, "spec": spec}
        await make(api, f"/apis/{NETWORKING}/v1/namespaces/{namespace}/{plural}", body)
    users = [f"serviceentry/{namespace}/outside", f"workloadentry/{namespace}/outside"]
    (listed,) = (await tools.ok("istio_list_waypoints", namespace=namespace))["items"]
    assert listed["enrolled"] == users
    gone = await tools.ok("istio_delete_waypoint", namespace=namespace, all=True)
    assert gone["dangling"] == users


async def test_fields_of_others(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    drafted = await tools.ok("istio_generate_waypoint", namespace=namespace, traffic_type="service")
    other = yaml.safe_load(drafted["yaml"])
    path = f"{GATEWAYS}/{namespace}/gateways/waypoint"
    await api.send("PATCH", path, (("fieldManager", "istioctl"),), other, "application/apply-patch+yaml")
    refused = await tools.fails("istio_apply_waypoint", namespace=namespace, traffic_type="workload")
    assert refused["code"] == "conflict"
    assert "istioctl" in refused["message"]
    taken = await tools.ok("istio_apply_waypoint", namespace=namespace, traffic_type="workload", overwrite=True)
    assert taken["result"] == "configured"


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("istio_delete_waypoint", {}, "names or all"),
        ("istio_delete_waypoint", {"names": ["a"], "all": True}, "names or all"),
        ("istio_delete_waypoint", {"names": []}, "names or all"),
        ("istio_delete_waypoint", {"names": ["none"]}, "reserved"),
        ("istio_delete_waypoint", {"names": ["-n"]}, "starts with '-'"),
        ("istio_apply_waypoint", {"name": "none"}, "reserved"),
        ("istio_apply_waypoint", {"name": "--help"}, "starts with '-'"),
        ("istio_apply_waypoint", {"revision": "a b"}, "revision"),
        ("istio_apply_waypoint", {"traffic_type": "services"}, "did you mean service?"),
        ("istio_generate_waypoint", {"name": "none"}, "reserved"),
        ("istio_waypoint_status", {"name": "a/b"}, "character"),
        ("istio_list_waypoints", {"namespace": "*"}, "all_namespaces"),
    ],
)
async def test_arguments_that_cannot_be_meant(
    tools: ToolCaller, tool: str, arguments: dict[str, Any], says: str
) -> None:
    refused = await tools.fails(tool, **{"namespace": "default", **arguments})
    assert refused["code"] == "bad_argument"
    assert says in refused["message"]


async def test_required_arguments_are_told(tools: ToolCaller) -> None:
    for tool in ("generate_waypoint", "apply_waypoint", "delete_waypoint", "waypoint_status"):
        refused = await tools.fails(f"istio_{tool}")
        assert refused["message"].endswith("namespace: required")


async def test_lists_of_older_callers(tools: ToolCaller, namespace: str) -> None:
    told = await tools.ok("istio_delete_waypoint", namespace=namespace, names="one, two three", all="false")
    assert [item["name"] for item in told["items"]] == ["one", "two", "three"]


async def test_gateways_of_another_class_are_left_alone(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, f"{GATEWAYS}/{namespace}/gateways", gateway("edge", "istio"))
    for tool, arguments in (
        ("istio_delete_waypoint", {"names": ["edge"]}),
        ("istio_apply_waypoint", {"name": "edge"}),
        ("istio_waypoint_status", {"name": "edge"}),
    ):
        refused = await tools.fails(tool, namespace=namespace, **arguments)
        assert refused["code"] == "bad_argument", tool
        assert "its class is istio" in refused["message"]
    await tools.ok("istio_delete_waypoint", namespace=namespace, all=True)
    assert (await tools.ok("istio_list_waypoints", namespace=namespace))["items"] == []
    (left,) = (await api.get(f"{GATEWAYS}/{namespace}/gateways"))["items"]
    assert left["metadata"]["name"] == "edge"


async def test_what_is_not_there(tools: ToolCaller, namespace: str) -> None:
    await tools.ok("istio_apply_waypoint", namespace=namespace, name="front")
    near = await tools.fails("istio_waypoint_status", namespace=namespace, name="fron")
    assert near["code"] == "not_found"
    assert "did you mean front?" in near["hint"]
    for tool in ("istio_apply_waypoint", "istio_waypoint_status", "istio_list_waypoints"):
        nowhere = await tools.fails(tool, namespace=f"{namespace}x")
        assert nowhere["code"] == "not_found", tool
        assert f"{namespace}x" in nowhere["message"]


@pytest.fixture
async def without_gateways(api: KubeApi, tmp_path: Path) -> AsyncIterator[ToolCaller]:
    async with without_groups(api, tmp_path, GROUP) as kubeconfig:
        settings = IstioSettings(kubeconfig=str(kubeconfig))
        async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
            yield ToolCaller(client)


async def test_without_the_gateway_api(without_gateways: ToolCaller) -> None:
    for tool, arguments in (
        ("istio_list_waypoints", {}),
        ("istio_apply_waypoint", {}),
        ("istio_delete_waypoint", {"all": True}),
        ("istio_waypoint_status", {}),
    ):
        absent = await without_gateways.fails(tool, namespace="default", **arguments)
        assert absent["code"] == "unavailable", tool
        assert "Gateway API is not installed" in absent["message"]
        assert "CRDs" in absent["hint"]
