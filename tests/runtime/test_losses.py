"""What is lost when an object changes (D1, D2): properties over random live objects and what is sent."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kmcp_runtime.kube import losses

Object = dict[str, Any]
_WORDS = st.text(alphabet="abcdefghij-./", min_size=1, max_size=12)
_TEXTS = st.text(max_size=12)
_PAIRS = st.dictionaries(_WORDS, _TEXTS, max_size=4)
_HOLDING = ("ConfigMap", "Secret")
_RUNNING = ("Deployment", "StatefulSet", "Rollout", "Job", "CronJob", "DaemonSet", "Thing")
_KINDS = (*_HOLDING, *_RUNNING)
_KNOWN_TO_THE_JUDGE = [
    "metadata",
    "name",
    "namespace",
    "ownerReferences",
    "finalizers",
    "deletionTimestamp",
    "kind",
    "spec",
    "status",
    "data",
    "binaryData",
    "stringData",
    "replicas",
    "minReplicas",
    "parallelism",
    "persistentVolumeClaim",
    "claimName",
    "volumeClaimTemplates",
    "volumes",
    "template",
    "selector",
    "suspend",
    "taints",
    "effect",
    "nodeSelector",
    "affinity",
    "nodeAffinity",
    "persistentVolumeClaimRetentionPolicy",
    "whenScaled",
    "prune",
    "revisionHistoryLimit",
    "ttlSecondsAfterFinished",
    "activeDeadlineSeconds",
    "deletionPolicy",
    "reclaimPolicy",
    "abort",
    "claimRef",
    "uid",
    "versions",
    "schema",
    "openAPIV3Schema",
    "properties",
    "items",
    "additionalProperties",
    "storage",
    "ordinals",
    "start",
    "conversion",
    "rules",
    "labels",
]
"""Fields that a rule looks at: in them, odd shapes and changes may matter."""
_SCALARS = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False) | st.sampled_from(["Delete", ""])
_ODD = st.recursive(
    _SCALARS | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KNOWN_TO_THE_JUDGE), inner, max_size=4)
    ),
    max_leaves=12,
)
_ODD_OBJECTS = st.builds(
    lambda kind, rest: {**rest, "kind": kind},
    st.sampled_from((*_KINDS, "Node", "PersistentVolume", "CustomResourceDefinition", "HorizontalPodAutoscaler")),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("metadata", "spec", "status", "data", "stringData"), _ODD)),
)
_UNKNOWN_FIELDS = st.dictionaries(
    _WORDS.map(lambda word: f"x-{word}"),
    st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3)),
    max_size=4,
)


@st.composite
def live(draw: st.DrawFn, *kinds: str) -> Object:
    """An object of one of these kinds (of any), as an API server has it."""
    kind = draw(st.sampled_from(kinds or _KINDS))
    metadata: Object = {"name": draw(_WORDS), "namespace": "default", "uid": "1"}
    metadata |= {"labels": draw(_PAIRS), "annotations": draw(_PAIRS)}
    if draw(st.booleans()):
        metadata["finalizers"] = draw(st.lists(_WORDS, min_size=1, max_size=3, unique=True))
        metadata |= {"deletionTimestamp": "2026-11-01T00:00:00Z"} if draw(st.booleans()) else {}
    found: Object = {"kind": kind, "metadata": metadata}
    if kind in ("ConfigMap", "Secret"):
        return found | {"data": draw(_PAIRS), "binaryData": {} if kind == "Secret" else draw(_PAIRS)}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in draw(st.sets(_WORDS))]
    template = {"metadata": {"labels": draw(_PAIRS)}, "spec": {"volumes": volumes, "nodeSelector": draw(_PAIRS)}}
    spec: Object = {"template": template, "selector": {"matchLabels": draw(_PAIRS)}}
    for field in ("replicas", "parallelism", "minReplicas"):
        spec |= {field: draw(st.integers(0, 5))} if draw(st.booleans()) else {}
    return found | {"spec": spec}


@given(live(), _PAIRS, _PAIRS, _UNKNOWN_FIELDS, _PAIRS)
def test_labels_annotations_and_more_fields_are_no_loss(
    before: Object, labels: Mapping[str, str], annotations: Mapping[str, str], more: Object, keys: Mapping[str, str]
) -> None:
    after = deepcopy(before)
    after["metadata"] |= {"labels": labels, "annotations": annotations}
    if "spec" in after:
        after["spec"]["template"]["metadata"] = {"labels": labels, "annotations": annotations}
        after["spec"] |= more
    else:
        held = {**after["data"], **after["binaryData"]}
        after["data"] |= {key: value for key, value in keys.items() if key not in held}
    assert losses.of_change(before, after) == []
    assert losses.of_change(before, before) == []
    assert losses.of_creation(after) == []


@given(live(*_HOLDING), st.data())
def test_a_key_that_goes_is_a_loss_whatever_else_is_sent(before: Object, data: st.DataObject) -> None:
    assume(before["data"])
    key = data.draw(st.sampled_from(sorted(before["data"])))
    assume(key not in before["binaryData"])
    after = deepcopy(before)
    after["data"].pop(key)
    after["data"] |= {f"new-{name}": value for name, value in data.draw(_PAIRS).items()}
    found = losses.of_change(before, after)
    name = f"{before['kind']} default/{before['metadata']['name']}"
    assert f"removes key {key} of {name}" in found
    emptied = {**before, "data": {**before["data"], key: ""}}
    assert (f"empties key {key} of {name}" in losses.of_change(before, emptied)) is bool(before["data"][key])


@given(live(*_RUNNING), st.sampled_from(["replicas", "parallelism", "minReplicas"]), st.integers(1, 9) | st.none())
def test_to_run_none_of_it_is_a_loss_from_any_count(before: Object, field: str, count: int | None) -> None:
    before["spec"].pop(field, None)
    before["spec"] |= {} if count is None else {field: count}
    for zero in (0, 0.0):
        after = {**before, "spec": {**before["spec"], field: zero}}
        (said,) = losses.of_change(before, after)
        assert said.startswith(f"scales {before['kind']} default/{before['metadata']['name']} ")
    assert losses.of_change(before, {**before, "spec": {**before["spec"], field: 1}}) == []


@given(live(), st.data())
def test_finalizers_matter_once_it_is_ending(before: Object, data: st.DataObject) -> None:
    finalizers = before["metadata"].get("finalizers")
    assume(finalizers)
    gone = data.draw(st.sets(st.sampled_from(finalizers), min_size=1))
    after = deepcopy(before)
    after["metadata"]["finalizers"] = [each for each in finalizers if each not in gone]
    found = losses.of_change(before, after)
    if "deletionTimestamp" in before["metadata"]:
        (said,) = found
        assert said.startswith("removes finalizers of ")
        assert all(each in said for each in gone)
    else:
        assert found == []


@given(live(*_RUNNING))
def test_a_claim_that_goes_is_a_loss(before: Object) -> None:
    volumes = before["spec"]["template"]["spec"]["volumes"]
    assume(volumes)
    after = deepcopy(before)
    gone = after["spec"]["template"]["spec"]["volumes"].pop()["name"]
    assert any(said.startswith(f"takes PersistentVolumeClaim {gone} away") for said in losses.of_change(before, after))


@given(_ODD_OBJECTS, _ODD_OBJECTS)
def test_no_shape_is_too_odd_to_be_judged(before: Object, after: Object) -> None:
    after = {**after, "kind": before["kind"]}
    for found in (losses.of_change(before, after), losses.of_creation(after), losses.of_status("pods", before, after)):
        assert all(isinstance(said, str) for said in found)
    losses.of_status("rollouts", before, after)


@given(_ODD_OBJECTS)
def test_an_odd_object_loses_nothing_by_staying(before: Object) -> None:
    assert losses.of_change(before, deepcopy(before)) == []


def _schema(**properties: Any) -> Object:
    return {"type": "object", "properties": properties}


def _definition(*versions: tuple[str, Object], storage: str = "v1", **spec: Any) -> Object:
    listed = [
        {"name": name, "storage": name == storage, "schema": {"openAPIV3Schema": schema}} for name, schema in versions
    ]
    return {"kind": "CustomResourceDefinition", "metadata": {"name": "things"}, "spec": {"versions": listed, **spec}}


_TEXT: Object = {"type": "string"}
_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_MAP: Object = {"type": "object", "additionalProperties": _TEXT}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (_schema(a=_TEXT, b=_TEXT), _schema(a=_TEXT), "removes b from version v1"),
        (_schema(spec=_schema(a=_TEXT)), _schema(spec={"type": "object"}), "removes spec.a from"),
        (_schema(a={"type": "array", "items": _schema(b=_TEXT)}), _schema(a={"type": "array"}), "removes a.[].b from"),
        (_schema(a=_OPEN), _schema(a={"type": "object"}), "removes a.* from"),
        (_schema(a=_MAP), _schema(a=_schema(b=_TEXT)), "removes a.* from"),
        (_schema(a=_TEXT), _schema(a=_TEXT, b=_TEXT), None),
        (_schema(a=_TEXT), _OPEN, None),
        (_schema(a=_schema(b=_TEXT)), _schema(a=_MAP), None),
        (_schema(a=_MAP), _schema(a=_OPEN), None),
    ],
)
def test_D7_a_schema_that_keeps_less_is_a_loss(before: Object, after: Object, said: str | None) -> None:
    found = losses.of_change(_definition(("v1", before)), _definition(("v1", after)))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_D7_what_else_of_a_definition_drops_stored_values_is_a_loss() -> None:
    wide, narrow = _schema(a=_TEXT), _schema()
    both = _definition(("v1", wide), ("v2", narrow))
    for after, said in (
        (_definition(("v1", wide), ("v2", narrow), storage="v2"), "v1 (stored as v2 then)"),
        (_definition(("v1", wide)), "removes version v2"),
    ):
        (found,) = losses.of_change(both, after)
        assert said in found
    assert losses.of_change(_definition(("v1", wide)), both) == []
    hooked = _definition(("v1", wide), conversion={"strategy": "Webhook"})
    assert len(losses.of_change(hooked, _definition(("v1", wide)))) == 1
    unpruned = _definition(("v1", wide), preserveUnknownFields=True)
    assert len(losses.of_change(unpruned, _definition(("v1", wide)))) == 1
    status = {"storedVersions": ["v1", "v2"]}
    assert losses.of_status("customresourcedefinitions", {"status": status}, {"status": {"storedVersions": ["v2"]}})


def _changed(kind: str, before: Any, after: Any, **more: Any) -> list[str]:
    common = {"kind": kind, "metadata": {"name": "x"}, **more}
    return losses.of_change({**common, "spec": before}, {**common, "spec": after})


_DELETES = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"replicas": 2, **_DELETES}, {"replicas": 2, **_DELETES, "ordinals": {"start": 5}}, True),
        ({"replicas": 2, **_DELETES}, {"replicas": 9, **_DELETES, "ordinals": {"start": 1}}, True),
        ({"replicas": 2, "ordinals": {"start": 5}, **_DELETES}, {"replicas": 2, **_DELETES}, True),
        ({"replicas": 2, "ordinals": {"start": 1}, **_DELETES}, {"replicas": 3, **_DELETES}, False),
        ({"replicas": 2, **_DELETES}, {"replicas": 3, **_DELETES}, False),
        ({"replicas": 2}, {"replicas": 2, "ordinals": {"start": 5}}, True),
        ({"replicas": 2}, {"replicas": 2, "ordinals": {"start": 1}}, False),
    ],
)
def test_D4_ordinals_that_go_take_their_claims_with_them(before: Object, after: Object, lost: bool) -> None:
    assert bool(_changed("StatefulSet", before, after)) is lost


@given(st.sampled_from(["Retain", "Orphan", "Abandon"]), st.sampled_from(["Delete", "Recycle", "Wipe"]))
def test_D5_an_order_that_no_longer_keeps_is_a_loss(keeping: str, other: str) -> None:
    for field in ("persistentVolumeReclaimPolicy", "deletionPolicy"):
        assert len(_changed("Thing", {field: keeping}, {field: other})) == 1
        assert len(_changed("Thing", {field: keeping}, {})) == 1
        assert _changed("Thing", {field: other}, {field: keeping}) == []
        assert _changed("Thing", {field: other}, {field: other}) == []


def test_D11_a_count_that_goes_from_a_custom_kind_is_a_loss() -> None:
    custom = {"apiVersion": "example.org/v1"}
    assert len(_changed("Thing", {"replicas": 3}, None, **custom)) == 1
    assert len(_changed("Thing", {"pool": {"instances": 3}}, {"pool": {}}, **custom)) == 1
    assert _changed("Thing", {"replicas": 0}, {}, **custom) == []
    # Of Kubernetes' own kinds the default is one.
    assert _changed("Deployment", {"replicas": 3}, {}, apiVersion="apps/v1") == []


@pytest.mark.parametrize(
    ("key", "kind", "lost"),
    [
        ("kubernetes.io/service-account.name", "Secret", True),
        ("endpointslice.kubernetes.io/managed-by", "EndpointSlice", True),
        ("helm.sh/resource-policy", "ConfigMap", True),
        ("kustomize.toolkit.fluxcd.io/name", "Deployment", True),
        ("app.kubernetes.io/name", "Deployment", False),
        ("kubectl.kubernetes.io/restartedAt", "Deployment", False),
        ("kubernetes.io/change-cause", "Deployment", False),
        ("pod-security.kubernetes.io/enforce", "Namespace", False),
    ],
)
def test_D8_marks_that_controllers_obey_are_losses(key: str, kind: str, lost: bool) -> None:
    bare = {"kind": kind, "metadata": {"name": "x"}}
    for field in ("labels", "annotations"):
        marked = {"kind": kind, "metadata": {"name": "x", field: {key: "a"}}}
        for before, after in ((bare, marked), (marked, bare)):
            assert bool(losses.of_change(before, after)) is lost


def test_D13_the_smaller_ways_to_stop_and_to_lose() -> None:
    assert len(_changed("CronJob", {"concurrencyPolicy": "Allow"}, {"concurrencyPolicy": "Replace"})) == 1
    assert _changed("CronJob", {"concurrencyPolicy": "Replace"}, {"concurrencyPolicy": "Allow"}) == []
    assert len(_changed("Job", {"backoffLimit": 6}, {"backoffLimit": 0})) == 1
    assert _changed("Job", {"backoffLimit": 6}, {"backoffLimit": 9}) == []
    assert losses.of_status("cronjobs", {"status": {"active": [{"name": "a"}]}}, {"status": {}})
    pod = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"priorityClassName": "system-node-critical"}}
    assert len(losses.of_creation(pod)) == 1
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": [{}]}
    assert losses.of_change(role, {**role, "rules": []}) == ["removes all rules of Role x"]
    labels = {"owner": "helm", "name": "web"}
    metadata = {"name": "sh.helm.release.v1.web.v1", "labels": labels}
    release = {"kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata, "data": {"release": "a"}}
    assert len(losses.of_change(release, {**release, "data": {"release": "b"}})) == 1
    assert len(losses.of_change(release, {**release, "metadata": {**metadata, "labels": {"owner": "helm"}}})) == 1
    labelled = {**metadata, "labels": {**labels, "team": "a"}}
    assert losses.of_change(release, {**release, "metadata": labelled}) == []
