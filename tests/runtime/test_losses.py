"""What is lost when an object changes (D1, D2): properties over random live objects and what is sent."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

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
