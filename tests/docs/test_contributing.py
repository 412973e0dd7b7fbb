"""The recipe of CONTRIBUTING.md, followed to the letter in a scratch copy."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cluster.model import Cluster

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```python file=(\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.cluster
def test_the_recipe_for_a_tool_gives_a_working_tool_with_one_function_and_one_test(
    cluster: Cluster, tmp_path: Path
) -> None:
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
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
