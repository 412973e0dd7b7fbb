"""Paths into objects: the table holds what client-go's JSONPath finds, by which kubectl's custom columns look.

Two are beyond it, which finds nothing of them: blanks inside the braces, and a dot in a quoted key without a backslash.
"""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_kubernetes.reading.field_paths import steps_of, value_at
from kmcp_runtime import ToolFailure

POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "w", "app.kubernetes.io/name": "n"}},
    "spec": {
        "containers": [
            {"name": "a", "image": "i1", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
            {"name": "b", "image": "i2", "tty": True},
            {"name": "c", "image": "i3"},
        ]
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False"}]},
}
FOUND: dict[str, list[Any]] = {
    ".metadata.name": ["p"],
    "{.metadata.name}": ["p"],
    "{ .metadata.name }": ["p"],
    "metadata.labels.app": ["w"],
    r".metadata.labels.app\.kubernetes\.io/name": ["n"],
    ".metadata.labels['app.kubernetes.io/name']": ["n"],
    r".metadata.labels['app\.kubernetes\.io/name']": ["n"],
    ".metadata.labels.*": ["w", "n"],
    ".spec.containers[0].image": ["i1"],
    ".spec.containers[-1].name": ["c"],
    ".spec.containers[7].name": [],
    ".spec.containers[*].name": ["a", "b", "c"],
    ".spec.containers[0:2].name": ["a", "b"],
    ".spec.containers[1:].name": ["b", "c"],
    ".spec.containers[-2:].name": ["b", "c"],
    ".spec.containers[*].ports[*].containerPort": [80, 81],
    "..image": ["i1", "i2", "i3"],
    ".spec..name": ["a", "b", "c"],
    "..containerPort": [80, 81],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".status.conditions[?(@.type!='Ready')].status": ["False"],
    ".spec.containers[?(@.name == 'b')].image": ["i2"],
    ".spec.containers[?(@.ports)].image": ["i1"],
    ".spec.containers[?(@.tty==true)].image": ["i2"],
    ".spec.containers[0].ports[?(@.containerPort==81)].containerPort": [81],
    ".spec.containers[?(@.name=='none')].image": [],
}
REFUSED = (".spec.containers[x]", ".metadata['name", ".a..b..c", "a{b", ".c[?(@.a=b)]", ".c[?(@.a==b)]", ".c[?(a==1)]")


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [each for item in value for each in _flat(item)]
    return [] if value is None else [value]


@pytest.mark.parametrize("path", FOUND)
def test_a_path_finds_what_kubectl_finds(path: str) -> None:
    assert _flat(value_at(POD, steps_of(path))) == FOUND[path]


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ToolFailure, match="is not a path"):
        steps_of(path)


@given(
    st.lists(st.sampled_from([*".[]*?@'\"=!(){}:$\\ -", "..", "name", "spec", "containers", "0", "[*]"])).map("".join)
)
def test_any_text_is_a_path_or_refused(text: str) -> None:
    with suppress(ToolFailure):
        assert isinstance(_flat(value_at(POD, steps_of(text))), list)
