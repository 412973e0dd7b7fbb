"""A server that is in the tree is built, installable, runnable, and under the rules of dependency."""

import configparser
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.engine.cli import SERVERS

ROOT = Path(__file__).parents[2]
OWN = sorted(point.name for point in entry_points(group=SERVERS) if point.module.startswith("kmcp_"))


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


@pytest.mark.parametrize("name", OWN)
def test_a_server_has_an_extra_a_script_and_a_place_in_the_wheel(project: dict[str, Any], name: str) -> None:
    extras = project["project"]["optional-dependencies"]
    assert name in extras
    assert name in extras["all"][0].partition("[")[2].rstrip("]").split(",")
    assert project["project"]["scripts"][f"kmcp-{name}"] == f"kmcp_{name}.server:SERVER.main"
    assert f"servers/kmcp_{name}" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize(
    ("section", "option"),
    [
        ("importlinter", "root_packages"),
        ("importlinter:contract:servers-apart", "modules"),
        ("importlinter:contract:runtime-below", "forbidden_modules"),
        ("importlinter:contract:server-layers", "containers"),
        ("importlinter:contract:door-kubernetes", "source_modules"),
        ("importlinter:contract:door-kopf", "source_modules"),
        ("importlinter:contract:door-http", "source_modules"),
    ],
)
@pytest.mark.parametrize("name", OWN)
def test_a_server_is_under_the_rules_of_dependency(
    contracts: configparser.ConfigParser, name: str, section: str, option: str
) -> None:
    assert f"kmcp_{name}" in contracts[section][option].split()
