"""`kmcp-suite deploy` against a real API server and a controller: what is applied, followed, and taken back."""

import asyncio
from pathlib import Path

import pytest

from kmcp_develop.cli.deploy import deploy
from kmcp_develop.cli.init import init
from kmcp_runtime.kube.settings import ClusterSettings
from tests.controller.driving import Driver
from tests.kubernetes.making import kubeconfig
from tests.rights import write_kubeconfig

pytestmark = pytest.mark.cluster


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "acme-vault"
    assert init(["acme-vault", "--kind", "plain", "--output", str(folder)]) == 0
    return folder


async def ran(driver: Driver, project: Path, *flags: str) -> int:
    argv = [str(project), "--kubeconfig", str(driver.given.kubeconfig), "--namespace", driver.namespace, *flags]
    return await asyncio.to_thread(deploy, argv)


async def test_a_dry_run_stores_nothing_and_a_deployment_is_there(
    driver: Driver, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ran(driver, project, "--dry-run") == 0
    assert "created (dry run: nothing is stored)" in capsys.readouterr().out
    assert await driver.get("MCPServer", "acme-vault") is None
    assert await ran(driver, project) == 0
    assert f"MCPServer {driver.namespace}/acme-vault: created" in capsys.readouterr().out
    assert await ran(driver, project) == 0
    assert "unchanged" in capsys.readouterr().out
    manifest = project / "mcpserver.yaml"
    manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
    assert await ran(driver, project) == 0
    assert "changed" in capsys.readouterr().out
    # Without a controller nobody says anything of it; one that was there before stays.
    assert await ran(driver, project, "--wait", "--timeout", "2") == 1
    assert "no controller has looked at it within 2 s" in capsys.readouterr().err
    assert await driver.get("MCPServer", "acme-vault") is not None


@pytest.mark.pods
async def test_what_does_not_become_ready_is_told_and_taken_back(
    driver: Driver, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await driver.start()
    assert await ran(driver, project, "--wait", "--timeout", "8") == 1
    printed = capsys.readouterr()
    assert "Accepted=True" in printed.out
    assert "it is not ready after 8 s" in printed.err
    assert "deleted again (--keep leaves it)" in printed.err
    await driver.when_gone("MCPServer", "acme-vault")
    # A node that cannot pull the image says so; for so long nobody has to wait.
    assert await ran(driver, project, "--wait", "--timeout", "120", "--keep") == 1
    assert "its image cannot be used" in capsys.readouterr().err
    assert await driver.get("MCPServer", "acme-vault") is not None


async def test_what_a_cluster_refuses_is_told(
    driver: Driver, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ran(driver, project, "--namespace", "no-such-namespace") == 1
    assert "no-such-namespace" in capsys.readouterr().err
    absent = kubeconfig("https://127.0.0.1:9", tmp_path, token="t")
    assert await asyncio.to_thread(deploy, [str(project), "--kubeconfig", str(absent)]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    nowhere = tmp_path / "no-such-kubeconfig"
    assert await asyncio.to_thread(deploy, [str(project), "--kubeconfig", str(nowhere)]) == 1
    assert str(nowhere) in capsys.readouterr().err
    accounts = f"/api/v1/namespaces/{driver.namespace}/serviceaccounts"
    await driver.api.send("POST", accounts, (), {"metadata": {"name": "nobody"}})
    settings = ClusterSettings(kubeconfig=str(driver.given.kubeconfig))
    nobody = await write_kubeconfig(driver.api, settings, driver.namespace, "nobody", tmp_path)
    for flags in ([], ["--dry-run"], ["--wait"]):
        assert await ran(driver, project, "--kubeconfig", str(nobody), *flags) == 1
        printed = capsys.readouterr().err
        assert "cannot" in printed
        assert '"mcpservers"' in printed or "mcpservers.kagent.dev" in printed
    assert await driver.get("MCPServer", "acme-vault") is None
    (project / "mcpserver.yaml").write_text(
        "kind: MCPServer\napiVersion: kagent.dev/v1alpha1\nmetadata: {name: x}\nspec: {}\n"
    )
    assert await ran(driver, project) == 1
    assert "mcpserver.yaml:" in capsys.readouterr().err
