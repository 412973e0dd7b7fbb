"""Manifests as large as they are taken, of each kind that one step could take long for: no stall."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import World, world
from tests.slowness import scaled
from tests.trust import Trust

GOOD = next(seed for seed in range(100) if mood_of(seed) == "valid")
STALL_SECONDS = 0.25
"""Of a quiet machine; 0.05 s as a rule."""
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n"
DOCUMENTS = {
    "many documents": "---\n".join(f"{HEAD}  key{number}: value\n" for number in range(300)),
    "many keys": HEAD + "".join(f"  key{number}: value{number}\n" for number in range(95_000)),
    "one long word": f"{HEAD}  key: {'x' * 2_900_000}\n",
    "words like credentials": f"{HEAD}  key: {'token: x1y2z3 ' * 200_000}\n",
    "brackets": "[" * 2_900_000,
    "lists in JSON": "[" + "[]," * 900_000 + "[]]",
    "control characters": 'a: "' + r"\x1b[" * 480_000 + '"',
}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world("kubernetes", Path(tmp_path_factory.mktemp("documents")), timeout=scaled(60)) as found:
        yield found


@pytest.mark.parametrize("manifest", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_large_manifest_stops_nothing(server: World, manifest: str, trust: Trust) -> None:
    async def call() -> None:
        await server.call("k8s_create_resource", {"yaml_content": manifest}, GOOD)

    stall = await server.shortest_stall(call)
    trust.count("stalls", "large manifests", inputs=1, longest_stall_in_s=stall)
    assert stall < scaled(STALL_SECONDS)
