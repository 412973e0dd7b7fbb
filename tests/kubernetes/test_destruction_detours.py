"""What destroys by a detour, on the real cluster: by several requests, or through another's controller."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.cluster.model import Cluster
from tests.kubernetes.descriptions.test_descriptions import kubectl_run
from tests.kubernetes.making import Object, custom_kind, make
from tests.kubernetes.places import Place
from tests.kubernetes.test_destruction import NOBODY, asked
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.waiting import until

pytestmark = pytest.mark.cluster


def settings_text(name: str = "settings", **data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


async def test_D1_what_the_takeover_of_a_client_side_apply_removes_is_asked(
    careful: ToolCaller, place: Place, kubectl: Path, cluster: Cluster
) -> None:
    """The first request removes nothing; the one after the takeover, which is the same, does."""

    async def applied() -> None:
        text = settings_text(only="here", second="there")
        await kubectl_run(kubectl, cluster, "apply", f"--namespace={place.namespace}", "--filename=-", text=text)

    await applied()
    path = f"{place.core}/configmaps/settings"
    call: dict[str, Any] = {"manifest": settings_text(second="there"), "namespace": place.namespace}
    lost = [f"removes key only of ConfigMap {place.namespace}/settings"]
    assert await asked(careful, place, path, "k8s_apply_manifest", **call) == lost
    assert (await place.api.get(path))["data"] == {"second": "there"}

    # With another value too: the steps of the call change the object before the one that removes.
    await place.api.send("DELETE", path)
    await applied()
    change: dict[str, Any] = {**call, "manifest": settings_text(second="other"), "force": True}
    assert lost[0] in await asked(careful, place, path, "k8s_apply_manifest", **change)
    assert (await place.api.get(path))["data"] == {"second": "other"}

    # What keeps everything is taken over without a question.
    await place.api.send("DELETE", path)
    await applied()
    call["manifest"] = settings_text(only="here", second="there", third="new")
    assert (await careful.ok("k8s_apply_manifest", manifest=call["manifest"], namespace=place.namespace))["changed"]


async def test_D10_what_changes_during_a_long_call_is_judged_as_it_is_by_then(
    settings: KubernetesSettings, tools: ToolCaller, place: Place
) -> None:
    names = [f"n{number}" for number in range(20)]
    manifest = "---\n".join(settings_text(name, a="b") for name in names)
    within = {"namespace": place.namespace}
    await tools.ok("k8s_apply_manifest", manifest=manifest, **within)
    added = False

    async def add(done: float, total: float | None, message: str | None) -> None:
        # Only the real run tells its progress: the rehearsal of all documents is over.
        nonlocal added
        if not added:
            added = True
            await tools.ok("k8s_apply_manifest", manifest=settings_text(names[-1], a="b", precious="x"), **within)

    async with Client(assemble(SERVER, settings, patient()), progress_handler=add) as client:
        changed = manifest.replace("'b'", "'c'")
        error = await ToolCaller(client).fails("k8s_apply_manifest", manifest=changed, **within)
    assert added
    assert error["code"] == "conflict"
    assert f"removes key precious of ConfigMap {place.namespace}/{names[-1]}" in error["message"]
    assert (await place.api.get(f"{place.core}/configmaps/{names[-1]}"))["data"] == {"a": "b", "precious": "x"}


def bare(name: str, **labels: str) -> Object:
    """A pod that nobody controls and no node runs."""
    spec = {"containers": [{"name": "c", "image": "none"}], "schedulerName": "none"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def selecting(kind: str, labels: Object, **spec: Any) -> Object:
    pod = {"containers": [{"name": "c", "image": "none"}], "schedulerName": "none", "nodeSelector": {"no": "where"}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    if kind == "Job":
        pod["restartPolicy"] = "Never"
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "w"}, "spec": body}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ReplicaSet", {"replicas": 0}),
        ("Job", {"suspend": True, "manualSelector": True}),
        ("DaemonSet", {}),
        ("StatefulSet", {"replicas": 0, "serviceName": "w"}),
    ],
)
async def test_D6_a_controller_that_takes_over_pods_is_asked(
    careful: ToolCaller, place: Place, kind: str, spec: Object
) -> None:
    await make(place.api, f"{place.core}/pods", bare("precious", app="mine"))
    within = {"namespace": place.namespace}
    for tool, argument in (("k8s_create_resource", "yaml_content"), ("k8s_apply_manifest", "manifest")):
        manifest = json.dumps(selecting(kind, {"app": "mine"}, **spec))
        error = await careful.fails(tool, **{argument: manifest}, **within)
        assert error["code"] == "approval_required"
        assert "takes over what it may delete: pods precious" in error["plan"]["destroys"][0]
    # What matches nothing that is there takes nothing.
    manifest = json.dumps(selecting(kind, {"app": "other"}, **spec))
    assert (await careful.ok("k8s_create_resource", yaml_content=manifest, **within))["changed"] is True
    assert "deletionTimestamp" not in (await place.api.get(f"{place.core}/pods/precious"))["metadata"]


async def test_D9_labels_by_which_a_controller_takes_an_object_are_asked(careful: ToolCaller, place: Place) -> None:
    await make(place.api, f"{place.core}/pods", bare("precious", app="mine"))
    await make(place.api, f"{place.apis('apps/v1')}/deployments", selecting("Deployment", {"app": "web"}, replicas=0))
    await make(place.api, f"{place.apis('apps/v1')}/replicasets", selecting("ReplicaSet", {"app": "set"}, replicas=0))
    labelled = {"resource_type": "pod", "resource_name": "precious", "namespace": place.namespace}
    error = await careful.fails("k8s_label_resource", **labelled, labels={"app": "set"}, overwrite=True)
    (said,) = error["plan"]["destroys"]
    assert said.startswith(f"Pod {place.namespace}/precious is taken over by ReplicaSet w")
    assert (await careful.ok("k8s_label_resource", **labelled, labels={"team": "a"}))["changed"]
    assert "deletionTimestamp" not in (await place.api.get(f"{place.core}/pods/precious"))["metadata"]

    labelled |= {"resource_type": "replicaset", "resource_name": "w"}
    error = await careful.fails("k8s_label_resource", **labelled, labels={"app": "web"})
    assert "is taken over by Deployment w" in error["plan"]["destroys"][0]
    owner = (await place.api.get(f"{place.apps}/deployments/w"))["metadata"]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w", "uid": owner["uid"], "controller": True}
    call = place.patching("replicaset", "w", {"metadata": {"ownerReferences": [reference]}})
    (said,) = (await careful.fails("k8s_patch_resource", **call))["plan"]["destroys"]
    assert "gives ReplicaSet" in said


async def test_D9_labels_of_a_node_that_place_pods_are_asked(careful: ToolCaller, place: Place) -> None:
    (node, *_) = (await place.api.get("/api/v1/nodes"))["items"]
    key, other = f"example.com/{place.namespace}", f"example.com/plain-{place.namespace}"
    name = node["metadata"]["name"]
    labelled = {"resource_type": "node", "resource_name": name}
    pod = {"containers": [{"name": "c", "image": "none"}], "schedulerName": "none", "nodeSelector": {key: "yes"}}
    body = selecting("DaemonSet", {"app": "w"})
    body["spec"]["template"]["spec"] = pod
    await make(place.api, f"{place.apps}/daemonsets", body)
    try:
        assert (await careful.ok("k8s_label_resource", **labelled, labels={key: "yes", other: "x"}))["changed"]
        assert (await careful.ok("k8s_label_resource", **labelled, labels={other: "y"}, overwrite=True))["changed"]
        error = await careful.fails("k8s_label_resource", **labelled, labels={key: "no"}, overwrite=True)
        assert f"{place.namespace}/w" in error["plan"]["destroys"][0]
    finally:
        await place.api.send("DELETE", f"{place.apps}/daemonsets/w")
        await place.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {key: None, other: None}}})


async def test_D8_annotations_that_a_controller_obeys_are_asked(careful: ToolCaller, place: Place) -> None:
    marked = {"name": "token", "annotations": {"kubernetes.io/service-account.name": "default"}}
    await place.send(f"{place.core}/secrets", {"metadata": marked, "type": "kubernetes.io/service-account-token"})
    about = {"resource_type": "secret", "resource_name": "token", "namespace": place.namespace}
    nobody = {"kubernetes.io/service-account.name": "nobody"}
    error = await careful.fails("k8s_annotate_resource", **about, annotations=nobody, overwrite=True)
    assert "kubernetes.io/service-account.name" in error["plan"]["destroys"][0]
    assert (await careful.ok("k8s_annotate_resource", **about, annotations={"note": "a"}))["changed"]
    assert (await careful.ok("k8s_label_resource", **about, labels={"team": "a"}))["changed"]
    assert await place.api.get(f"{place.core}/secrets/token")


async def is_stored(api: KubeApi, things: str) -> bool:
    """Whether objects of a new kind can be made; the API server serves lists of it a little earlier."""
    kind = things.rpartition("/")[2].capitalize()
    probe = {"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": "probe"}}
    try:
        await api.send("POST", things, (("dryRun", "All"),), probe)
    except StatusFailure:
        return False
    return True


@pytest.mark.parametrize("policy", ["Delete", "Recycle"])
async def test_D5_a_volume_that_is_released_at_once_is_asked(careful: ToolCaller, place: Place, policy: str) -> None:
    claim = {"namespace": place.namespace, "name": "data", "uid": NOBODY["uid"]}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"}, "hostPath": {"path": "/nowhere"}}
    spec |= {"persistentVolumeReclaimPolicy": policy, "storageClassName": "", "claimRef": claim}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"v-{place.namespace}"}}
    path = f"/api/v1/persistentvolumes/v-{place.namespace}"
    made = json.dumps({**volume, "spec": spec})
    (said,) = (await careful.fails("k8s_create_resource", yaml_content=made))["plan"]["destroys"]
    assert f"its policy is {policy}" in said
    assert await place.api.find(path) is None
    kept = {**volume, "spec": {**spec, "persistentVolumeReclaimPolicy": "Retain", "claimRef": {**claim, "uid": None}}}
    try:
        assert (await careful.ok("k8s_create_resource", yaml_content=json.dumps(kept)))["changed"] is True
        about = {"resource_type": "persistentvolume", "resource_name": f"v-{place.namespace}"}
        patch = {"spec": {"persistentVolumeReclaimPolicy": policy}}
        (said,) = (await careful.fails("k8s_patch_resource", **about, patch=patch))["plan"]["destroys"]
        assert said.endswith(f"to {policy}")
    finally:
        await place.api.send("DELETE", path)


async def test_D7_D11_a_definition_that_keeps_less_and_a_scale_of_any_name_are_asked(
    careful: ToolCaller, place: Place
) -> None:
    plural = "".join(letter for letter in place.namespace if letter.isalnum()) + "s"
    definition = custom_kind(plural, "example.org", plural.capitalize())
    fields = {"spec": {"type": "object", "properties": {"howMany": {"type": "integer"}, "a": {"type": "string"}}}}
    fields["status"] = {"type": "object", "properties": {"count": {"type": "integer"}}}
    (version,) = definition["spec"]["versions"]
    version["schema"]["openAPIV3Schema"] = {"type": "object", "properties": fields}
    scale = {"specReplicasPath": ".spec.howMany", "statusReplicasPath": ".status.count"}
    version["subresources"] = {"scale": scale, "status": {}}
    crds, things = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", f"{place.apis('example.org/v1')}/{plural}"
    await make(place.api, crds, definition)
    try:
        await until(lambda: is_stored(place.api, things), what="the new kind")
        thing = {"apiVersion": "example.org/v1", "kind": plural.capitalize(), "metadata": {"name": "one"}}
        await place.send(things, {**thing, "spec": {"howMany": 3, "a": "b"}})
        kind = f"{plural}.example.org"
        for patch in ({"spec": {"howMany": 0}}, {"spec": {"howMany": None}}, {"spec": None}):
            (said,) = (await careful.fails("k8s_patch_resource", **place.patching(kind, "one", patch)))["plan"][
                "destroys"
            ]
            assert "(spec.howMany)" in said
        patched = await careful.ok(
            "k8s_patch_resource", **place.patching(kind, "one", {"spec": {"howMany": 2, "a": ""}})
        )
        assert patched["changed"] is True
        about = {"resource_type": "customresourcedefinition", "resource_name": kind}
        schema = {"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/a"}
        (said,) = (await careful.fails("k8s_patch_resource", **about, patch=[schema]))["plan"]["destroys"]
        assert "removes spec.a from version v1" in said
        more = {"op": "add", "path": schema["path"].removesuffix("a") + "b", "value": {"type": "string"}}
        assert (await careful.ok("k8s_patch_resource", **about, patch=[more]))["changed"] is True
        status = {"status": {"storedVersions": ["v0"]}}
        error = await careful.fails("k8s_patch_status", **about, patch=status)
        assert error["code"] == "approval_required"
    finally:
        await place.api.send("DELETE", f"{crds}/{plural}.example.org")
