"""A server that is in the tree is built, installable and runnable."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.distributions import SERVERS

ROOT = Path(__file__).parents[2]
OWN = sorted(point.name for point in entry_points(group=SERVERS) if point.module.startswith("kmcp_"))


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", OWN)
def test_a_server_has_an_extra_a_script_and_a_place_in_the_wheel(project: dict[str, Any], name: str) -> None:
    extras = project["project"]["optional-dependencies"]
    assert name in extras
    assert name in extras["all"][0].partition("[")[2].rstrip("]").split(",")
    assert project["project"]["scripts"][f"kmcp-{name}"] == f"kmcp_{name}.server:SERVER.main"
    assert f"servers/kmcp_{name}" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
