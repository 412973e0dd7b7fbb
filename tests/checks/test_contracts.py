"""The import contracts hold every server and every module of the controller: what is left out breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("servers", "kmcp_controller", "checks")
NO_CACHE = shutil.ignore_patterns("__pycache__")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=NO_CACHE)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'servers'}:{tree}", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


def broken(tree: Path) -> list[str]:
    """The contracts that import-linter calls broken."""
    written = run(tree, "-m", "checks", "--root", str(tree), "--contracts", "contracts.ini")
    assert written.returncode == 0, written.stderr
    asked = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports('contracts.ini', no_cache=True))"
    linted = run(tree, "-c", asked)
    found = [line.removesuffix(" BROKEN") for line in linted.stdout.splitlines() if line.endswith(" BROKEN")]
    assert bool(found) == bool(linted.returncode), linted.stdout + linted.stderr
    return found


def add(tree: Path, name: str, text: str) -> None:
    with (tree / name).open("a") as file:
        file.write(text)


def test_a_module_of_the_controller_outside_its_layers_is_refused(tree: Path) -> None:
    add(tree, "kmcp_controller/stray.py", "")
    assert any(name.startswith("The controller is made of rooms") for name in broken(tree))


def test_a_new_server_is_under_every_contract_without_an_edit(tree: Path) -> None:
    """Its package breaks each rule that is for all servers; pyproject.toml is all that was told of it."""
    shutil.copytree(tree / "servers/kmcp_clock", tree / "servers/kmcp_vault")
    for path in (tree / "servers/kmcp_vault").rglob("*.py"):
        path.write_text(path.read_text().replace("kmcp_clock", "kmcp_vault"))
    project = (tree / "pyproject.toml").read_text()
    entry = 'clock = "kmcp_clock.server:SERVER"'
    assert entry in project
    (tree / "pyproject.toml").write_text(project.replace(entry, f'{entry}\nvault = "kmcp_vault.server:SERVER"'))
    assert broken(tree) == []
    imports = ("kmcp_clock.client", "kmcp_vault.tools", "kubernetes", "httpx2", "subprocess", "kopf", "httpx")
    add(tree, "servers/kmcp_vault/client.py", "".join(f"import {name}\n" for name in imports))
    assert {
        "Sibling servers and the controller never import each other",
        "kmcp_vault is layered: server, tools, what they stand on, settings",
        "The Kubernetes client has one door",
        "A server that does not talk to Kubernetes never imports its client",
        "Child processes have one door",
        "The HTTP client has one door: web, and upstream for an API of the configuration",
        "kopf has one door",
        "What the tests compare with is not what we are made of",
    } <= set(broken(tree))
