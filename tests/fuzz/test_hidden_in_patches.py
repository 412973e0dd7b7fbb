"""G3: a JSON patch neither compares, carries nor uncovers what is hidden of an object that is no Secret."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.test_broken_answers import POD, VALID, WEB
from tests.fuzz.worlds import World, world
from tests.mcp import ToolCaller

VALUE = "Zq9vKr27LmTx81pBd"
ENV = "/spec/containers/0/env"
NOTE = {"op": "add", "path": "/metadata/annotations", "value": {}}
EXPOSING: dict[str, list[dict[str, Any]]] = {
    "copied to an annotation": [NOTE, {"op": "copy", "from": f"{ENV}/0/value", "path": "/metadata/annotations/note"}],
    "copied to an image": [{"op": "copy", "from": f"{ENV}/0/value", "path": "/spec/containers/0/image"}],
    "copied to the kind": [{"op": "copy", "from": f"{ENV}/0/value", "path": "/kind"}],
    "moved": [{"op": "move", "from": f"{ENV}/0/value", "path": f"{ENV}/1/value"}],
    "copied with what is around": [NOTE, {"op": "copy", "from": f"{ENV}/0", "path": "/metadata/annotations/note"}],
    "compared": [{"op": "test", "path": f"{ENV}/0/value", "value": "a guess"}],
    "compared as a whole": [{"op": "test", "path": "/spec", "value": {}}],
    "renamed": [{"op": "replace", "path": f"{ENV}/0/name", "value": "COLOUR"}],
    "without its name": [{"op": "remove", "path": f"{ENV}/0/name"}],
    "moved on, then copied": [
        {"op": "add", "path": f"{ENV}/0", "value": {"name": "FIRST", "value": "1"}},
        {"op": "copy", "from": f"{ENV}/1/value", "path": f"{ENV}/2/value"},
    ],
}
HARMLESS: dict[str, list[dict[str, Any]]] = {
    "another value": [{"op": "replace", "path": f"{ENV}/0/value", "value": "Another-Value-17"}],
    "removed": [{"op": "remove", "path": f"{ENV}/0"}],
    "name and value": [{"op": "replace", "path": f"{ENV}/0", "value": {"name": "COLOUR", "value": "red"}}],
    "compared elsewhere": [{"op": "test", "path": f"{ENV}/1/value", "value": "red"}],
    "copied from elsewhere": [{"op": "copy", "from": f"{ENV}/1/value", "path": "/spec/containers/0/image"}],
}


@pytest.fixture(scope="module")
async def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    env = [{"name": "PASSWORD", "value": VALUE}, {"name": "SHADE", "value": "red"}]
    async with world("kubernetes", Path(tmp_path_factory.mktemp("patches"))) as found:
        assert isinstance(found.standin, StandIn)
        found.standin.seed = VALID
        found.standin.fixed[WEB] = {**POD, "spec": {"containers": [{"name": "main", "image": "x", "env": env}]}}
        yield found


@pytest.mark.parametrize("patch", EXPOSING.values(), ids=EXPOSING)
async def test_what_is_hidden_stays_hidden(kubernetes: World, patch: list[dict[str, Any]]) -> None:
    kubernetes.take_sent()
    found = await ToolCaller(kubernetes.client).fails(
        "k8s_patch_resource", resource_type="pods", resource_name="web", patch=patch, dry_run=True
    )
    assert found["code"] == "bad_argument"
    assert "hidden" in found["message"]
    assert VALUE not in str(found)
    assert not [line for line in kubernetes.take_sent() if line.startswith("PATCH")]


async def test_many_operations_are_split(kubernetes: World) -> None:
    many = [{"op": "add", "path": "/metadata/annotations", "value": {}}] * 51
    found = await ToolCaller(kubernetes.client).fails(
        "k8s_patch_resource", resource_type="pods", resource_name="web", patch=many, dry_run=True
    )
    assert (found["code"], found["hint"]) == ("too_large", "send them in several calls")


@pytest.mark.parametrize("patch", HARMLESS.values(), ids=HARMLESS)
async def test_other_patches_are_sent(kubernetes: World, patch: list[dict[str, Any]]) -> None:
    kubernetes.take_sent()
    await kubernetes.client.call_tool(
        "k8s_patch_resource",
        {"resource_type": "pods", "resource_name": "web", "patch": patch, "dry_run": True},
        raise_on_error=False,
    )
    assert [line for line in kubernetes.take_sent() if line.startswith("PATCH")]
