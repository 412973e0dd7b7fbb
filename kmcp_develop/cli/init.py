"""`kmcp-suite init` and `add-tool`: a project from nothing, and a tool of it."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kmcp_develop.project.description import KINDS, LANGUAGES, ProjectError, read_project
from kmcp_develop.project.names import InvalidNameError
from kmcp_develop.project.renewal import renew
from kmcp_develop.project.scaffold import add_tool as add
from kmcp_develop.project.scaffold import make
from kmcp_runtime.connect.suite_wheel import WheelError, write_wheel
from kmcp_runtime.endings import INTERRUPTED
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.publishing import PublishingError, published
from kmcp_runtime.version import VERSION

_VENDORED = {"requirement": "kmcp-suite", "install": "$(INSTALL) vendor/*.whl", "image_packages": "vendor/*.whl"}
_DONE = """\
{target}: {count} files. Next, in that folder:
  make check test            everything of it passes
  kmcp-suite add-tool NAME   a tool: function, test, row of the README
  kmcp-suite run             serve it while you write
  kmcp-suite build           its image
  kmcp-suite deploy          run it in a cluster"""


def init(argv: Sequence[str]) -> int:
    """Begin a server of your own: a project with one tool, tests, Dockerfile, manifest and CI."""
    parser = argparse.ArgumentParser("kmcp-suite init", description=init.__doc__)
    parser.add_argument("name", help="lower-case letters, digits and dashes; also the server's name in a cluster")
    parser.add_argument("--language", choices=LANGUAGES, default="python", help="default: %(default)s")
    text = "suite: on the runtime of this suite (Python); plain: on the language's MCP SDK (default: suite for Python)"
    parser.add_argument("--kind", choices=KINDS, help=text)
    parser.add_argument("--output", type=Path, help="the new folder (default: one of that name here)")
    parser.add_argument("--update", action="store_true", help="renew a project from the template that is installed now")
    given = parser.parse_args(argv)
    kind = given.kind or ("suite" if given.language == "python" else "plain")
    target = given.output or Path(given.name)
    try:
        if given.update:
            return _update(target, given.name)
        files = _made(target, given.name, given.language, kind)
    except (ProjectError, WheelError, InvalidNameError, PublishingError, ToolFailure, OSError) as error:
        return _fail("init", error)
    except KeyboardInterrupt:
        print("kmcp-suite init: interrupted; nothing is left of it", file=sys.stderr)
        return INTERRUPTED
    print(_DONE.format(target=target, count=len(files)))
    return 0


def _made(target: Path, name: str, language: str, kind: str) -> list[Path]:
    if kind != "suite":
        return make(target, name, language, kind, {})
    where = published().package
    if where:
        return make(target, name, language, kind, _published(where))
    # Not published: the project brings the suite along, so that no index is asked for a name that nobody holds.
    with tempfile.TemporaryDirectory() as folder:
        wheel = write_wheel(Path(folder))
        return make(target, name, language, kind, _VENDORED, extra={f"vendor/{wheel.name}": wheel})


def _update(target: Path, name: str) -> int:
    """Exit code 1 where something is left to merge by hand."""
    project = read_project(target)
    if project.name != name:
        raise ProjectError(f"{target} is the project {project.name}, not {name}")
    where = published().package
    done = renew(project, _published(where) if where else _VENDORED)
    if project.kind == "suite" and not where:
        _renew_wheel(target / "vendor")
    for path in done.written:
        print(f"  {path}: as the template has it now")
    for path in done.beside:
        print(
            f"  {path}: you changed {path.removesuffix('.new')}, and so did the template: merge it and delete this one"
        )
    print(f"{target}: {len(done.written)} files renewed, {len(done.beside)} to merge")
    return 1 if done.beside else 0


def _renew_wheel(vendor: Path) -> None:
    vendor.mkdir(exist_ok=True)
    # Beside its place, so that a wheel of the same name is replaced whole; the others go when the new one is there.
    with tempfile.TemporaryDirectory(dir=vendor) as folder:
        wheel = write_wheel(Path(folder))
        new = wheel.replace(vendor / wheel.name)
    for old in vendor.glob("kmcp_suite-*.whl"):
        if old != new:
            old.unlink()


def _published(package: str) -> dict[str, str]:
    return {"requirement": f"{package}>={VERSION}", "install": "", "image_packages": ""}


def add_tool(argv: Sequence[str]) -> int:
    """Add a tool to a project: its function, its test, its row in the README."""
    parser = argparse.ArgumentParser("kmcp-suite add-tool", description=add_tool.__doc__)
    parser.add_argument("name", help="lower-case letters, digits and underscores; the server's name is put before it")
    parser.add_argument("--project", type=Path, default=Path(), help="its folder (default: this one)")
    given = parser.parse_args(argv)
    try:
        project = read_project(given.project)
        name, files = add(project.folder, project.language, project.kind, project.name, given.name)
    except (ProjectError, InvalidNameError) as error:
        return _fail("add-tool", error)
    print(f"{name}:", *(f"  {path.relative_to(project.folder)}" for path in files), sep="\n")
    return 0


def _fail(command: str, error: Exception) -> int:
    print(f"kmcp-suite {command}: {error}", file=sys.stderr)
    return 1
