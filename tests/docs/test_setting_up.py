"""How the Makefile sets up its environment: with Pythons of other versions, which a stand-in claims to be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slowness import scaled

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
# The Python of these tests under another version; of a virtual environment it makes what the Makefile looks for.
if [ "$1" = -c ]; then exec {python} -c "import sys; sys.version_info = ({version}, 9, 'final', 0); $2"; fi
if [ "$1" = -m ] && [ "$2" = venv ]; then
    for folder in "$@"; do :; done
    rm -rf "$folder"; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python"
    printf '#!/bin/sh\\nexit 0\\n' > "$folder/bin/uv"; chmod +x "$folder/bin/uv"
fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for minor in (10, 11, 13):
        python = tmp_path / f"python3.{minor}"
        python.write_text(PYTHON.format(python=sys.executable, version=f"3, {minor}"))
        python.chmod(0o700)
    return tmp_path


def set_up(checkout: Path, python: str = "", code: int = 0) -> str:
    """What `make` prints; `python3` is the oldest one."""
    default = checkout / "path" / "python3"
    default.parent.mkdir(exist_ok=True)
    shutil.copy(checkout / "python3.10", default)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS", "MFLAGS")}
    given = [f"PYTHON=./{python}"] if python else []
    ended = subprocess.run(
        ["make", "--no-print-directory", ".venv/.ready", *given],
        check=False,
        cwd=checkout,
        env=clean | {"PATH": f"{default.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


def minor(checkout: Path) -> str:
    program = [str(checkout / ".venv/bin/python"), "-c", "print('%d.%d' % sys.version_info[:2])"]
    ended = subprocess.run(program, check=True, capture_output=True, text=True, timeout=scaled(60))
    return ended.stdout.strip()


def test_a_python_that_is_too_old_is_refused_and_leaves_nothing(checkout: Path) -> None:
    for given in ("", "python3.10"):
        assert "is Python 3.10, and 3.11 or newer is needed; name one: make PYTHON=" in set_up(checkout, given, 2)
        assert not (checkout / ".venv").exists()
    assert "./python3.99 does not start" in set_up(checkout, "python3.99", 2)
    assert "with Python 3.11" in set_up(checkout, "python3.11")


def test_an_environment_of_another_python_than_asked_is_made_anew(checkout: Path) -> None:
    assert "with Python 3.11" in set_up(checkout, "python3.11")
    assert "up to date" in set_up(checkout, "python3.11")
    assert "up to date" in set_up(checkout)
    assert "with Python 3.13" in set_up(checkout, "python3.13")
    assert minor(checkout) == "3.13"
    set_up(checkout, "python3.10", 2)
    assert minor(checkout) == "3.13", "what is there stays when the Python that is asked for does not fit"
    (checkout / "requirements.lock").touch()
    assert set_up(checkout).startswith("setting up"), "who asks for none keeps it"
    assert minor(checkout) == "3.13"


def test_an_environment_of_an_old_python_is_no_trap(checkout: Path) -> None:
    subprocess.run([checkout / "python3.10", "-m", "venv", checkout / ".venv"], check=True, timeout=scaled(60))
    assert minor(checkout) == "3.10"
    assert "name one: make PYTHON=" in set_up(checkout, code=2)
    assert "with Python 3.13" in set_up(checkout, "python3.13")
    assert minor(checkout) == "3.13"
