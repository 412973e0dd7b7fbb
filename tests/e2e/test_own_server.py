"""V16: from an empty folder to a tool that answers in the cluster, by the five commands."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_develop.cli.build import build
from kmcp_develop.cli.deploy import deploy
from kmcp_develop.cli.init import add_tool, init
from tests.cluster.images import import_image
from tests.develop.engine import Engine, engine
from tests.develop.making import make, need_toolchain
from tests.e2e.release import PATIENCE, Release
from tests.slowness import scaled

pytestmark = [pytest.mark.pods, pytest.mark.timeout(1800)]


@pytest.fixture
def buildah(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with engine() as found:
        for name, value in found.env.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.mark.parametrize("language", ["python", "go", "typescript", "java"])
async def test_a_tool_answers_in_the_cluster_after_five_commands(
    language: str, release: Release, buildah: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_toolchain(language)
    name = f"own-{language}"
    project, image = tmp_path / name, f"localhost/{name}:0.1.0"
    assert await asyncio.to_thread(init, [name, "--language", language, "--output", str(project)]) == 0
    assert add_tool(["look", "--project", str(project)]) == 0
    if language == "python":  # the others' checks are in tests/develop
        assert "3 passed" in await asyncio.to_thread(make, project, "check", "test")
    flags = await asyncio.to_thread(buildah.build_arguments, language)
    assert await asyncio.to_thread(build, [str(project), "--engine", "buildah", *flags]) == 0, capsys.readouterr()
    # The registry's part: the node has the image.
    tar = await asyncio.to_thread(buildah.archive, image, tmp_path / "image.tar")
    await asyncio.to_thread(import_image, release.cluster, tar)
    place = ["--kubeconfig", str(release.cluster.kubeconfig), "--namespace", release.namespace]
    capsys.readouterr()
    argv = [str(project), *place, "--wait", "--timeout", str(scaled(PATIENCE))]
    assert await asyncio.to_thread(deploy, argv) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    assert "Ready=True" in printed
    assert f"own_{language}_look: Say what this tool answers" in printed
    async with Client(await release.url(name)) as client:
        answer = await client.call_tool(f"own_{language}_look", {"name": "Ada"})
        assert answer.structured_content == {"text": "Ada"}
    (pod,) = await release.pods(name)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    await release.api.send("DELETE", release.path("kagent.dev/v1alpha1/mcpservers", name))
