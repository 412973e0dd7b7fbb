"""The workflows and templates of the repository's host: valid, and without the usual weaknesses."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.installed import program
from tests.slowness import scaled

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def lint(*command: str) -> None:
    argv = [program(command[0]), *command[1:]]
    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True, timeout=scaled(120))
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_follow_their_schema() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))


def test_workflows_pass_a_security_audit() -> None:
    lint("zizmor", "--offline", "--no-progress", "--config", ".github/zizmor.yml", ".github/workflows")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_has_only_the_rights_that_it_names_and_ends(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        assert job["permissions"]


def test_what_the_workflows_make_is_in_the_makefile() -> None:
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines()}
    steps = [
        step["run"]
        for path in WORKFLOWS
        for job in yaml.safe_load(path.read_text())["jobs"].values()
        for step in job["steps"]
        if "make " in step.get("run", "")
    ]
    assert steps
    for run in steps:
        target = run.rpartition("make ")[2].split()[0]
        assert target in targets or target == ".venv/.ready"
