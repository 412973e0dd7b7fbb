"""The wheel, built once, and an environment that holds nothing but it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.installed import UV
from tests.ports import free_ports, suite_flags
from tests.slowness import scaled

ROOT = Path(__file__).parents[2]


def ran(*argv: object, folder: Path, env: Mapping[str, str] | None = None, code: int = 0) -> str:
    """What a program printed, both streams; its exit code must be `code`."""
    done = subprocess.run(
        [str(word) for word in argv],
        check=False,
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=scaled(150),
    )
    assert done.returncode == code, f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Built:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution of this tree, and the wheel that is made of it alone."""
    folder = tmp_path_factory.mktemp("dist")
    ran(UV, "build", "--quiet", "--no-build-isolation", "--out-dir", folder, ".", folder=ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@dataclass
class Laptop:
    """A user's machine without a checkout: an empty folder, a home, an environment with the wheel."""

    environment: Path
    folder: Path
    env: dict[str, str]
    ports: list[int] = field(default_factory=lambda: free_ports(3))

    def suite(self, *argv: object, code: int = 0, **env: str) -> str:
        program = self.environment / "bin" / "kmcp-suite"
        return ran(program, *argv, folder=self.folder, env={**self.env, **env}, code=code)

    @property
    def up(self) -> list[str]:
        return ["up", *suite_flags(self.ports)]


@pytest.fixture(scope="session")
def environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with the extra of one server, installed from the package registry as a user would."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    ran(UV, "venv", "--quiet", "--python", sys.executable, folder, folder=folder.parent)
    argv = [UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    wanted = [*argv, "--constraint", ROOT / "requirements.lock", f"{built.wheel}[prometheus]"]
    done = subprocess.run([str(word) for word in wanted], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the libraries cannot be had from the package registry: {done.stderr.strip()[-300:]}")
    return folder


@pytest.fixture
def laptop(environment: Path, tmp_path: Path) -> Iterator[Laptop]:
    folder, home = tmp_path / "empty folder ü", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "PYTHON", "XDG_", "KMCP"))}
    env = {key: "" for key in os.environ if key.startswith(("KUBE", "PYTHON", "XDG_", "KMCP"))}
    found = Laptop(environment, folder, env | {"HOME": str(home), "PATH": kept["PATH"], "TMPDIR": str(tmp_path)})
    yield found
    found.suite("down")
    shutil.rmtree(home, ignore_errors=True)
