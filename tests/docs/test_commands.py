"""The commands of the Makefile that need programs which a test machine may lack, with a stand-in for the program."""

import os
import subprocess
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.installed import program
from tests.slowness import scaled

ROOT = Path(__file__).parents[2]


def image(engine: str, *given: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", "image", f"ENGINE={engine}", *given]
    # These tests may have been started by make, which hands its own variables on.
    clean = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MFLAGS")}
    return subprocess.run(command, check=False, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=scaled(60))


@pytest.mark.parametrize(
    ("given", "built"),
    [
        ((), "SERVER=all --tag localhost/kmcp/kmcp-all:0.1.0 ."),
        (("SERVER=clock",), "SERVER=clock --tag localhost/kmcp/kmcp-clock:0.1.0 ."),
        (
            ("SERVER=bridge", "TAG=1-uv", "ARGS=--build-arg BASE=uv"),
            "SERVER=bridge --tag localhost/kmcp/kmcp-bridge:1-uv --build-arg BASE=uv .",
        ),
    ],
)
def test_an_image_is_built_by_the_engine_that_is_here(given: tuple[str, ...], built: str) -> None:
    ended = image("echo", *given)
    assert ended.stdout.splitlines()[-1] == f"build --build-arg {built}"


def test_without_an_engine_it_says_so() -> None:
    ended = image("")
    assert ended.returncode == 2
    assert "neither docker nor podman is here" in ended.stdout


def test_every_image_has_a_script_to_start() -> None:
    """V12: an image starts `kmcp-SERVER`, for each SERVER that the Dockerfile takes."""
    scripts = {found.name for found in entry_points(group="console_scripts")}
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"]) - {"rerank", "otel", "policy"}
    assert {f"kmcp-{extra}" for extra in extras} <= scripts


@pytest.mark.parametrize(
    ("script", "usage"), [("kmcp-all", "kmcp-suite serve"), ("kmcp-controller", "kmcp-suite controller")]
)
def test_what_is_no_server_of_its_own_starts_too(script: str, usage: str) -> None:
    ended = subprocess.run([program(script), "--help"], check=True, capture_output=True, text=True, timeout=scaled(60))
    assert ended.stdout.startswith(f"usage: {usage}")
