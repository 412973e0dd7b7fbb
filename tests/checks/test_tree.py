"""Each rule of `python -m checks` is broken in a small tree of its own, and the breach is named with its place."""

import subprocess
import sys
from pathlib import Path

import pytest

from checks.tree import find_faults

ROOT = Path(__file__).parents[2]
PROJECT = """
[project]
name = "suite"
[project.scripts]
kmcp-vault = "kmcp_vault.server:main"
[project.optional-dependencies]
vault = []
all = ["suite[vault]"]
[project.entry-points."kmcp.servers"]
vault = "kmcp_vault.server:SERVER"
[tool.hatch.build.targets.wheel]
packages = ["servers/kmcp_vault"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one server, without a fault."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    write(tmp_path, "pyproject.toml", PROJECT)
    for name in ("__init__.py", "server.py", "client.py", "tools/__init__.py", "tools/secrets.py"):
        write(tmp_path, f"servers/kmcp_vault/{name}", "")
    assert faults(tmp_path) == ""
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def faults(root: Path) -> str:
    """What the check finds, without a process for each small tree."""
    return "".join(f"{fault}\n" for fault in find_faults(root))


def printed(root: Path) -> str:
    """What the check prints; its exit code says whether it printed anything."""
    done = subprocess.run(
        [sys.executable, "-m", "checks", "--root", str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout


def test_this_checkout_has_no_fault() -> None:
    assert printed(ROOT) == ""


def test_the_program_prints_what_is_found(tree: Path) -> None:
    write(tree, "tests/test_long.py", "\n" * 401)
    assert printed(tree) == faults(tree) != ""


def function_of(lines: int) -> str:
    return "def long():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("kmcp_controller/long.py", function_of(41), "kmcp_controller/long.py:1: long has 41 lines, more than 40"),
        ("servers/kmcp_vault/long.py", "async " + function_of(41), "servers/kmcp_vault/long.py:1: long has 41 lines"),
        ("tests/test_long.py", "\n" * 401, "tests/test_long.py: 401 lines, more than 400"),
        ("servers/kmcp_vault/secrets.py", "", "kmcp_vault/secrets.py, servers/kmcp_vault/tools/secrets.py"),
        ("servers/kmcp_vault/a/b.py", "import httpx\n", "servers/kmcp_vault/a/b.py: imports httpx"),
        ("kmcp_controller/a.py", "def f():\n    from pyhelm3 import Client\n", "kmcp_controller/a.py: imports pyhelm3"),
        (
            "kmcp_controller/a.py",
            "import asyncio\nasyncio.create_subprocess_exec('a')\n",
            "asyncio.create_subprocess_exec",
        ),
        ("servers/kmcp_vault/a.py", "import os\nos.system('a')\n", "servers/kmcp_vault/a.py: calls os.system"),
        ("servers/kmcp_acme/tools/__init__.py", "", "servers/kmcp_acme: no entry point in pyproject.toml"),
    ],
)
def test_a_breach_is_named(tree: Path, name: str, text: str, told: str) -> None:
    write(tree, name, text)
    assert told in faults(tree)


@pytest.mark.parametrize("folder", [("tmp", "me", "pins"), ("home", "ada"), ("Users", "ada"), ("root",), ("work",)])
def test_a_folder_of_one_machine_is_named(tree: Path, folder: tuple[str, ...]) -> None:
    path = "/".join(("", *folder, "a.in"))
    write(tree, "a/Dockerfile", f"RUN --mount=type=cache,target={path} npm ci\n")
    write(tree, "a/requirements.txt", f"a==1\n    # via -r {path}\n")
    assert faults(tree).startswith(f"a/requirements.txt:2: names {path.removesuffix('/a.in')}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kmcp_controller/long.py", function_of(40)),
        ("tests/test_long.py", "\n" * 400),
        ("tests/test_oracle.py", "import httpx\n"),
        ("servers/kmcp_vault/kind/secret.py", "import httpx2\n"),
        ("docs/a.md", "`KUBECONFIG=/home/me/.kube/config`, a page at https://example.com/work/a, /tmp/www\n"),
        ("servers/kmcp_runtime/command/process.py", "import asyncio\nasyncio.create_subprocess_exec('a')\n"),
    ],
)
def test_what_is_allowed_is_not_named(tree: Path, name: str, text: str) -> None:
    write(tree, name, text)
    assert faults(tree) == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('packages = ["servers/kmcp_vault"]', "servers/kmcp_vault is not in the wheel"),
        ('kmcp-vault = "kmcp_vault.server:main"', "no script kmcp-vault"),
        ("vault = []", "no extra vault"),
        ('"suite[vault]"', "the extra `all` lacks vault"),
    ],
)
def test_a_server_that_is_declared_by_half_is_named(tree: Path, line: str, told: str) -> None:
    kept = {'packages = ["servers/kmcp_vault"]': "packages = []", '"suite[vault]"': '"suite[]"'}
    write(tree, "pyproject.toml", PROJECT.replace(line, kept.get(line, "")))
    assert told in faults(tree)
