"""The examples: each is run, so that none shows what no longer works."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_runtime import commands

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run(*arguments: str, folder: Path = ROOT, **environment: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, check=False, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in (EXAMPLES / "manifests").iterdir()))
def test_a_manifest_becomes_a_deployment_and_a_service(name: str) -> None:
    planned = run("kmcp_runtime.commands", "plan", "-f", str(EXAMPLES / "manifests" / name))
    assert "kind: Deployment" in planned
    assert "kind: Service" in planned


@pytest.mark.parametrize("file", sorted((EXAMPLES / "clients").iterdir()), ids=lambda file: file.stem)
def test_a_clients_configuration_is_what_the_suite_exports(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["catalog", "export", file.stem]) == 0
    assert file.read_text() == capsys.readouterr().out


async def test_a_server_in_a_distribution_of_its_own_is_found_and_answers(tmp_path: Path) -> None:
    project = EXAMPLES / "acme-depot"
    run("hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=project)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    shelves = tmp_path / "shelves.json"
    shelves.write_text('{"screws": 40}')
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert "kmcp-depot" in run("kmcp_runtime.commands", "catalog", "export", "claude-code", "--stdio", PYTHONPATH=path)
    transport = StdioTransport(
        sys.executable,
        ["-m", "acme_depot.server", "--transport", "stdio", "--depot-file", str(shelves)],
        env={**os.environ, "PYTHONPATH": path},
    )
    async with Client(transport) as client:
        answer = await client.call_tool("depot_count_items", {"shelf": "screws"})
        assert answer.structured_content is not None
        assert answer.structured_content["count"] == 40
        failed = await client.call_tool("depot_count_items", {"shelf": "screw"}, raise_on_error=False)
        assert failed.is_error
        assert "did you mean screws" in str(failed.content)
