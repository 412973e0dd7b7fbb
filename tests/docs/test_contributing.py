"""The recipes of CONTRIBUTING.md, followed to the letter in a scratch copy."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.cluster.model import Cluster

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```(?:python|toml) file=(\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.cluster
def test_the_recipe_for_a_tool_gives_a_working_tool_with_one_function_and_one_test(
    cluster: Cluster, tmp_path: Path
) -> None:
    blocks = blocks_of("Add a tool")
    assert [path.split("/")[0] for _, path, _ in blocks] == ["servers", "tests"]
    copied(tmp_path)
    for _, path, text in blocks:
        (tmp_path / path).write_text(textwrap.dedent(text))
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path / 'servers'}:{tmp_path}",
        "KMCP_TEST_KUBECONFIG": str(cluster.kubeconfig),
        "KMCP_TEST_IMAGE": cluster.image,
    }
    environment.pop("PYTEST_XDIST_WORKER", None)
    run(tmp_path, environment, "-m", "kmcp_runtime.commands", "catalog", "write")
    page = (tmp_path / "docs/reference/tools/kubernetes.md").read_text()
    assert "| [`k8s_count_pods`](#k8s_count_pods) | read |" in page
    chosen = "counting or contract or count_pods or scenario"
    files = ["tests/kubernetes/test_counting.py", "tests/contract", "tests/kubernetes/test_rights.py"]
    counted = run(tmp_path, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen)
    assert re.search(r"\d+ passed", counted)
    run(tmp_path, environment, "-m", "ruff", "check", *(path for _, path, _ in blocks))
    run(tmp_path, environment, "-m", "ruff", "format", "--check", *(path for _, path, _ in blocks))


async def test_the_recipe_for_a_server_gives_a_server_with_two_edited_files(tmp_path: Path) -> None:
    blocks = {path: textwrap.dedent(text) for _, path, text in blocks_of("Add a server")}
    declaration = blocks.pop("pyproject.toml")
    assert {path.rpartition("/")[0].split("/")[1] for path in blocks} == {"kmcp_vault"}
    tree = tmp_path / "tree"
    copied(tree)
    for path, text in blocks.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    declare(tree / "pyproject.toml", declaration)
    contract = tree / "tests/contract/test_tools.py"
    write_over(contract, '    "clock": {', '    "vault": {"vault_count"},\n    "clock": {')
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'installed'}:{tree / 'servers'}:{tree}"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    install(tree, tmp_path / "installed", environment)
    make_repository(tree)
    assert run(tree, environment, "-m", "checks") == ""
    run(tree, environment, "-m", "kmcp_runtime.commands", "catalog", "write")
    run(tree, environment, "-m", "kmcp_runtime.commands", "catalog", "check")
    assert "| [`vault_count`](#vault_count) | read |" in (tree / "docs/reference/tools/vault.md").read_text()
    assert "| [vault](docs/reference/tools/vault.md) |" in (tree / "README.md").read_text()
    run(tree, environment, "-m", "checks", "--contracts", "contracts.ini")
    run(tree, environment, "-m", "ruff", "check", "servers/kmcp_vault")
    run(tree, environment, "-m", "ruff", "format", "--check", "servers/kmcp_vault")
    run(tree, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-cluster", str(contract), "-k", "vault")
    examples = ("tests/docs/test_examples.py", "-k", "clients_configuration")
    run(tree, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-cluster", *examples)
    command = ["-m", "kmcp_runtime.commands", "serve", "vault", "--transport", "stdio"]
    async with Client(StdioTransport(sys.executable, command, env=environment, cwd=str(tree))) as client:
        assert [tool.name for tool in await client.list_tools()] == ["vault_count"]
        result = await client.call_tool("vault_count", {})
        assert result.structured_content is not None
        assert result.structured_content["entries"] == 2


def blocks_of(heading: str) -> list[tuple[str, str, str]]:
    """The files that a section of the guide shows: indent, path, text."""
    section = (ROOT / "CONTRIBUTING.md").read_text().partition(f"\n## {heading}\n")[2]
    return BLOCK.findall(re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0])


def declare(project: Path, declaration: str) -> None:
    """Step 2 of the recipe: the shown lines below their tables, the extra `all`, and the wheel's packages."""
    for table, lines in re.findall(r"^(\[.*\])\n((?:(?!\[|\n).*\n)+)", declaration, re.MULTILINE):
        write_over(project, f"{table}\n", f"{table}\n{lines}")
    write_over(project, ",clock,", ",clock,vault,")
    write_over(project, '"servers/kmcp_clock", ', '"servers/kmcp_clock", "servers/kmcp_vault", ')


def write_over(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def install(tree: Path, to: Path, environment: dict[str, str]) -> None:
    """The entry points of the copy, which `importlib.metadata` finds where a distribution is installed."""
    quiet = ("--quiet", "--no-deps", "--no-build-isolation", "--offline")
    run(tree, environment, "-m", "uv", "pip", "install", *quiet, "--target", str(to), "--editable", ".")


def make_repository(tree: Path) -> None:
    """The rules of the tree read what git would take in."""
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)


def copied(to: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((ROOT / name).read_bytes())


def run(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
