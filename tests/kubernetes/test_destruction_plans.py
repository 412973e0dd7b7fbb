"""D4, D9 on the real cluster: what the plan of a deletion names, and that a read-only server sends no change."""

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Effect, ToolFailure, judging
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.judging import Judgement
from tests.kubernetes.making import make
from tests.kubernetes.places import Place
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster


async def test_D9_the_plan_of_a_namespace_names_what_holds_it(careful: ToolCaller, place: Place) -> None:
    await place.config_map(finalizers=["example.com/held"])
    await place.config_map("free")
    error = await careful.fails("k8s_delete_resource", resource_type="namespace", resource_name=place.namespace)
    assert error["plan"]["held_by"] == ["ConfigMap settings: example.com/held"]
    await place.patch(f"{place.core}/configmaps/settings", {"metadata": {"finalizers": None}})


async def test_D9_the_plan_says_what_becomes_of_volumes(careful: ToolCaller, place: Place) -> None:
    volume = f"v-{place.namespace}"
    claim = {"namespace": place.namespace, "name": "data"}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    spec = {**common, "capacity": {"storage": "1Mi"}, "hostPath": {"path": "/nowhere"}, "claimRef": claim}
    spec["persistentVolumeReclaimPolicy"] = "Delete"
    await make(place.api, "/api/v1/persistentvolumes", {"metadata": {"name": volume}, "spec": spec})
    wanted = {**common, "resources": {"requests": {"storage": "1Mi"}}, "volumeName": volume}
    await make(place.api, f"{place.core}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": wanted})
    try:
        said = f"PersistentVolume {volume} (claim data): Delete"
        for kind, name in (("namespace", place.namespace), ("persistentvolume", volume)):
            error = await careful.fails("k8s_delete_resource", resource_type=kind, resource_name=name)
            assert error["plan"]["volumes"] == [said]
        about = {"resource_type": "pvc", "resource_name": "data", "namespace": place.namespace}
        assert (await careful.fails("k8s_delete_resource", **about))["plan"]["volumes"] == [said]
        keep = {"resource_type": "persistentvolume", "resource_name": volume}
        retained = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
        assert (await careful.ok("k8s_patch_resource", **keep, patch=retained))["changed"] is True
        again = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
        (loss,) = (await careful.fails("k8s_patch_resource", **keep, patch=again))["plan"]["destroys"]
        assert loss == f"sets spec.persistentVolumeReclaimPolicy of PersistentVolume {volume} to Delete"
    finally:
        await place.api.send("DELETE", f"/api/v1/persistentvolumes/{volume}")
        await place.patch(f"/api/v1/persistentvolumes/{volume}", {"metadata": {"finalizers": None}})


async def test_a_read_only_server_sends_no_change_whatever_is_called(
    settings: KubernetesSettings, place: Place
) -> None:
    await place.config_map()
    before = await place.api.get(f"{place.core}/configmaps/settings")
    async with Client(assemble(SERVER, settings, patient(read_only=True))) as client:
        caller = ToolCaller(client)
        call = place.patching("configmap", "settings", {"data": {"x": "y"}})
        assert (await caller.fails("k8s_patch_resource", **call))["code"] == "denied"
    assert await place.api.get(f"{place.core}/configmaps/settings") == before


async def test_D4_a_read_only_door_refuses_changes_of_any_kind(place: Place) -> None:
    """Whatever a tool would send: nothing leaves, not even a rehearsal; questions about rights do."""
    path = f"{place.core}/configmaps"
    reading = Judgement(frozenset({Effect.READ}))
    with judging.under(reading):
        for method, where, query in (
            ("POST", path, ()),
            ("PATCH", f"{path}/x", ()),
            ("PATCH", f"{path}/x", (("dryRun", "All"),)),
            ("PUT", f"{path}/x", ()),
            ("DELETE", f"{path}/x", ()),
            ("DELETE", path, ()),
        ):
            with pytest.raises(ToolFailure, match="this would change something"):
                await place.api.send(method, where, query, {"metadata": {"name": "x"}})
        review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
        answer = await place.api.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", (), review)
        assert answer["status"]["allowed"] is True
    assert reading.sent == 0
    assert "x" not in [item["metadata"]["name"] for item in (await place.api.get(path))["items"]]
