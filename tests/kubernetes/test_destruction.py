"""D1, D2 on the real cluster: what would destroy is asked, whatever tool sends it; what people do all day is not."""

from typing import Any

import pytest

from kmcp_runtime.kube.objects import comparable
from tests.kubernetes.making import config_map, make
from tests.kubernetes.places import Place
from tests.kubernetes.test_rollouts import path_of, workload
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster
NOBODY = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}


async def asked(careful: ToolCaller, place: Place, path: str, tool: str, **arguments: Any) -> list[str]:
    """What the plan says is destroyed; the object is as before until the token is sent, and is changed then."""
    before = comparable(await place.api.get(path))
    error = await careful.fails(tool, **arguments)
    assert error["code"] == "approval_required", error
    # The status is what controllers write at any time.
    assert {**comparable(await place.api.get(path)), "status": None} == {**before, "status": None}
    rehearsed = await careful.ok(tool, **arguments, dry_run=True)
    losses: list[str] = error["plan"]["destroys"]
    assert {f"needs approval: {loss}" for loss in losses} <= set(rehearsed["warnings"])
    await careful.ok(tool, **arguments, approval=error["approval"])
    return losses


@pytest.mark.parametrize(
    ("patch", "losses"),
    [
        ({"data": None}, ["removes key a of", "removes key c of"]),
        ({"data": {"a": None}}, ["removes key a of"]),
        ({"data": {"a": ""}}, ["empties key a of"]),
        ([{"op": "remove", "path": "/data/c"}], ["removes key c of"]),
        ([{"op": "move", "from": "/data/c", "path": "/data/e"}], ["removes key c of"]),
        ({"data": {"$patch": "replace", "x": "y"}}, ["removes key a of", "removes key c of"]),
        ({"metadata": {"ownerReferences": [NOBODY]}}, ["would be deleted with its new owner ConfigMap nobody"]),
    ],
)
async def test_D2_what_a_patch_of_a_config_map_loses_is_asked(
    careful: ToolCaller, place: Place, patch: Any, losses: list[str]
) -> None:
    await place.config_map()
    call = place.patching("configmap", "settings", patch)
    found = await asked(careful, place, f"{place.core}/configmaps/settings", "k8s_patch_resource", **call)
    assert len(found) == len(losses)
    for loss, said in zip(losses, found, strict=True):
        assert loss in said
        assert f"ConfigMap {place.namespace}/settings" in said


@pytest.mark.parametrize(
    "patch",
    [
        {"data": {"a": "another value", "e": "f"}},
        {"metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}}},
        {"metadata": {"labels": {"app": None}}},
        {"metadata": {"finalizers": ["example.com/held"]}},
        [{"op": "replace", "path": "/data/a", "value": "x"}],
    ],
)
async def test_what_loses_nothing_is_not_asked(careful: ToolCaller, place: Place, patch: Any) -> None:
    await place.config_map()
    done = await careful.ok("k8s_patch_resource", **place.patching("configmap", "settings", patch))
    assert done["changed"] is True
    await place.patch(f"{place.core}/configmaps/settings", {"metadata": {"finalizers": None}})


async def test_D1_an_owner_that_is_there_is_no_destruction(careful: ToolCaller, place: Place) -> None:
    await place.config_map()
    owner = (await place.config_map("owner"))["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    call = place.patching("configmap", "settings", {"metadata": {"ownerReferences": [reference]}})
    assert (await careful.ok("k8s_patch_resource", **call))["changed"] is True
    wrong = {**reference, "name": "owner", "uid": NOBODY["uid"]}
    call = place.patching("configmap", "settings", {"metadata": {"ownerReferences": [wrong]}})
    (said,) = (await careful.fails("k8s_patch_resource", **call))["plan"]["destroys"]
    assert "it has another uid" in said


async def test_D1_a_refused_owner_leaves_the_object(careful: ToolCaller, place: Place) -> None:
    await place.config_map()
    manifest = {**config_map("settings"), "data": None}
    manifest["metadata"] = {"name": "settings", "ownerReferences": [NOBODY]}
    error = await careful.fails("k8s_apply_manifest", manifest=str(manifest), namespace=place.namespace)
    assert error["code"] in ("approval_required", "bad_argument")
    assert "ownerReferences" not in (await place.api.get(f"{place.core}/configmaps/settings"))["metadata"]


async def test_D2_finalizers_of_what_is_ending_are_asked(careful: ToolCaller, place: Place) -> None:
    await place.config_map(finalizers=["example.com/held", "example.com/too"])
    path = f"{place.core}/configmaps/settings"
    await place.api.send("DELETE", path)
    call = place.patching("configmap", "settings", {"metadata": {"finalizers": ["example.com/too"]}})
    call["patch_type"] = "merge"
    (said,) = await asked(careful, place, path, "k8s_patch_resource", **call)
    assert "removes finalizers" in said
    assert "example.com/held" in said
    call = place.patching("configmap", "settings", {"metadata": {"finalizers": None}})
    error = await careful.fails("k8s_patch_resource", **call)
    await careful.ok("k8s_patch_resource", **call, approval=error["approval"])


async def test_D2_keys_of_a_secret_are_asked_and_new_values_are_not(careful: ToolCaller, place: Place) -> None:
    await place.secret()
    call = place.patching("secret", "login", {"data": {"word": None}})
    (said,) = await asked(careful, place, f"{place.core}/secrets/login", "k8s_patch_resource", **call)
    assert said == f"removes key word of Secret {place.namespace}/login"
    call = place.patching("secret", "login", {"stringData": {"user": "you"}})
    assert (await careful.ok("k8s_patch_resource", **call))["changed"] is True


async def test_D2_a_forced_apply_over_another_manager_is_asked(careful: ToolCaller, place: Place) -> None:
    await place.secret()
    path = f"{place.core}/secrets/login"
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\ndata: {user: eW91}\n"
    call = {"manifest": manifest, "namespace": place.namespace, "force": True}
    (said,) = await asked(careful, place, path, "k8s_apply_manifest", **call)
    assert f"overwrites key user of Secret {place.namespace}/login" in said
    # What it owns now it may change without a question.
    call["manifest"] = manifest.replace("eW91", "dGhlbQ==")
    assert (await careful.ok("k8s_apply_manifest", **call))["changed"] is True

    await place.config_map()
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: other}\n"
    call = {"manifest": manifest, "namespace": place.namespace, "force": True}
    (said,) = await asked(careful, place, f"{place.core}/configmaps/settings", "k8s_apply_manifest", **call)
    assert said.startswith(f"overwrites .data.a of ConfigMap {place.namespace}/settings: conflict with ")


async def test_whether_a_forced_secret_is_asked_shows_no_value(careful: ToolCaller, place: Place) -> None:
    """A right guess is asked like a wrong one."""
    await place.secret()
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {word: %s}\n"
    codes = {
        (await careful.fails("k8s_apply_manifest", manifest=manifest % guess, namespace=place.namespace, force=True))[
            "code"
        ]
        for guess in ("xyzzy-plugh", "wrong-guess")
    }
    assert codes == {"approval_required"}


async def test_all_documents_are_judged_before_the_first_is_applied(careful: ToolCaller, place: Place) -> None:
    apply = {"namespace": place.namespace}
    first = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n"
    second = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {a: b, c: d}\n"
    await careful.ok("k8s_apply_manifest", manifest=f"{first}---\n{second}", **apply)
    before = (await place.api.get(f"{place.core}/configmaps/one"))["metadata"]["resourceVersion"]
    changed = first.replace("a: b", "a: changed") + "---\n" + second.replace(", c: d", "")
    error = await careful.fails("k8s_apply_manifest", manifest=changed, **apply)
    assert error["plan"]["destroys"] == [f"removes key c of ConfigMap {place.namespace}/two"]
    assert (await place.api.get(f"{place.core}/configmaps/one"))["metadata"]["resourceVersion"] == before
    done = await careful.ok("k8s_apply_manifest", manifest=changed, **apply, approval=error["approval"])
    assert [item["result"] for item in done["items"]] == ["configured", "configured"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_D2_scaling_to_nothing_is_asked_and_other_numbers_are_not(
    careful: ToolCaller, place: Place, kind: str
) -> None:
    await place.workload(kind)
    scale = {"name": "w", "resource_type": kind.lower(), "namespace": place.namespace}
    for replicas in (3, 1):
        assert (await careful.ok("k8s_scale", **scale, replicas=replicas))["to"] == replicas
    path = path_of(kind, place.namespace, "w")
    (said,) = await asked(careful, place, path, "k8s_scale", **scale, replicas=0)
    assert said == f"scales {kind} {place.namespace}/w from 1 to 0"
    assert (await careful.ok("k8s_scale", **scale, replicas=0))["changed"] is False
    assert (await careful.ok("k8s_scale", **scale, replicas=2))["to"] == 2
    call = place.patching(kind.lower(), "w", {"spec": {"replicas": 0}})
    (said,) = await asked(careful, place, path, "k8s_patch_resource", **call)
    assert said == f"scales {kind} {place.namespace}/w from 2 to 0"


async def test_fewer_replicas_that_delete_claims_are_asked(careful: ToolCaller, place: Place) -> None:
    await place.workload("StatefulSet", replicas=3, persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"})
    scale = {"name": "w", "resource_type": "statefulset", "namespace": place.namespace}
    path = path_of("StatefulSet", place.namespace, "w")
    (said,) = await asked(careful, place, path, "k8s_scale", **scale, replicas=2)
    assert "deletes PersistentVolumeClaims" in said
    assert (await careful.ok("k8s_scale", **scale, replicas=3))["to"] == 3


@pytest.mark.parametrize(
    ("kind", "patch", "loss"),
    [
        ("Job", {"spec": {"suspend": True}}, "suspends Job"),
        ("Job", {"spec": {"parallelism": 0}}, "to 0 (spec.parallelism)"),
        ("Job", {"spec": {"ttlSecondsAfterFinished": 0}}, "sets ttlSecondsAfterFinished"),
        ("Job", {"spec": {"activeDeadlineSeconds": 1}}, "sets activeDeadlineSeconds"),
        ("CronJob", {"spec": {"suspend": True}}, None),
        ("CronJob", {"spec": {"successfulJobsHistoryLimit": 0}}, "lowers successfulJobsHistoryLimit"),
    ],
)
async def test_jobs_that_would_end_are_asked(
    careful: ToolCaller, place: Place, kind: str, patch: Any, loss: str | None
) -> None:
    await place.job(kind)
    call = place.patching(kind.lower(), "j", patch)
    if loss is None:
        assert (await careful.ok("k8s_patch_resource", **call))["changed"] is True
        return
    path = f"/apis/batch/v1/namespaces/{place.namespace}/{kind.lower()}s/j"
    (said,) = await asked(careful, place, path, "k8s_patch_resource", **call)
    assert loss in said


@pytest.mark.parametrize(
    ("patch", "loss"),
    [
        ({"spec": {"template": {"spec": {"volumes": None}}}}, "takes PersistentVolumeClaim data away"),
        ({"spec": {"revisionHistoryLimit": 0}}, "lowers revisionHistoryLimit"),
        ({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "other"}]}}}}, None),
        ({"spec": {"paused": True}}, None),
        ({"spec": {"replicas": 5}}, None),
    ],
)
async def test_claims_and_old_revisions_are_asked_and_images_are_not(
    careful: ToolCaller, place: Place, patch: Any, loss: str | None
) -> None:
    body = workload("Deployment", "none")
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    template = {**body["spec"]["template"], "spec": {**body["spec"]["template"]["spec"], "volumes": volumes}}
    await place.workload(template=template)
    call = place.patching("deployment", "w", patch)
    if loss is None:
        assert (await careful.ok("k8s_patch_resource", **call))["changed"] is True
        return
    (said,) = await asked(careful, place, f"{place.apps}/deployments/w", "k8s_patch_resource", **call)
    assert loss in said


async def test_what_people_do_with_rollouts_is_not_asked(careful: ToolCaller, place: Place) -> None:
    await place.workload(replicas=0)
    about = {"resource_type": "deployment", "resource_name": "w", "namespace": place.namespace}
    for action in ("restart", "pause", "resume"):
        assert (await careful.ok("k8s_rollout", **about, action=action))["changed"] is True


async def test_an_undo_that_takes_a_claim_away_is_asked(careful: ToolCaller, place: Place) -> None:
    await place.workload(replicas=0)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    call = place.patching("deployment", "w", {"spec": {"template": {"spec": {"volumes": volumes}}}})
    await careful.ok("k8s_patch_resource", **call)
    path = f"{place.apps}/deployments/w"
    await _revisions(place, 2)
    about = {"resource_type": "deployment", "resource_name": "w", "namespace": place.namespace, "action": "undo"}
    (said,) = await asked(careful, place, path, "k8s_rollout", **about)
    assert "takes PersistentVolumeClaim data away" in said
    await _revisions(place, 2)
    assert (await careful.ok("k8s_rollout", **about))["changed"] is True


async def _revisions(place: Place, count: int) -> None:
    """Wait until the controller keeps so many and has seen the newest template."""
    from tests.waiting import until

    async def seen() -> bool:
        found = await place.api.get(f"{place.apps}/deployments/w")
        sets = (await place.api.get(f"{place.apps}/replicasets"))["items"]
        return len(sets) >= count and found["status"].get("observedGeneration") == found["metadata"]["generation"]

    await until(seen, what=f"{count} revisions")


async def test_an_autoscaler_and_a_status_that_stop_things_are_asked(careful: ToolCaller, place: Place) -> None:
    await place.autoscaler()
    call = place.patching("horizontalpodautoscaler", "auto", {"spec": {"minReplicas": 1, "maxReplicas": 9}})
    assert (await careful.ok("k8s_patch_resource", **call))["changed"] is True
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    await make(place.api, f"{place.core}/persistentvolumeclaims", claim)
    status = {**place.patching("persistentvolumeclaim", "data", {"status": {"phase": "Lost"}})}
    path = f"{place.core}/persistentvolumeclaims/data"
    (said,) = await asked(careful, place, path, "k8s_patch_status", **status)
    assert "changes the status" in said


async def test_new_objects_are_not_asked(careful: ToolCaller, place: Place) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n"
    done = await careful.ok("k8s_create_resource", yaml_content=manifest, namespace=place.namespace)
    assert done["changed"] is True
    manifest = manifest.replace("name: x", "name: other")
    assert (await careful.ok("k8s_apply_manifest", manifest=manifest, namespace=place.namespace))["changed"] is True


async def test_what_changed_since_the_plan_is_not_done(careful: ToolCaller, place: Place) -> None:
    await place.config_map()
    call = place.patching("configmap", "settings", {"data": {"a": None}})
    token = (await careful.fails("k8s_patch_resource", **call))["approval"]
    path = f"{place.core}/configmaps/settings"
    await place.patch(path, {"data": {"a": "somebody changed this"}})
    error = await careful.fails("k8s_patch_resource", **call, approval=token)
    assert "has changed since" in error["message"]
    assert (await place.api.get(path))["data"]["a"] == "somebody changed this"
