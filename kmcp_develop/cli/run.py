"""`kmcp-suite run`: a project beside the suite on this machine, started anew whenever a file of it changes."""

import argparse
import asyncio
import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from kmcp_controller.cli.shared import installed_servers, read_catalog
from kmcp_controller.cli.up import kept
from kmcp_controller.local.ports import PortInUseError
from kmcp_controller.local.suite import Options, Suite
from kmcp_controller.local.up import up
from kmcp_controller.spec.model import API_VERSION, KIND
from kmcp_develop.project.description import Project, ProjectError, read_project
from kmcp_runtime import command, private_files
from kmcp_runtime.catalog import Catalog
from kmcp_runtime.distributions import SUITE
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.version import VERSION

from .test import of_project

_SECONDS = 0.5
_BUILD_SECONDS, _COMPILE_SECONDS = 900.0, 60.0
_LINES = 20
"""Of a compiler's words: the last ones name the error."""
_IGNORED = frozenset({".venv", ".git", "node_modules", "__pycache__", "dist", "bin", "target", "vendor"})
_WATCHED = frozenset({".py", ".ts", ".js", ".go", ".java", ".yaml", ".toml", ".json"})


def run(argv: Sequence[str]) -> int:
    """Serve a project on this machine, with its page in the catalog, and anew after each change of a file."""
    parser = argparse.ArgumentParser("kmcp-suite run", description=run.__doc__)
    parser.add_argument("project", type=Path, nargs="?", default=Path(), help="its folder (default: this one)")
    whose = "of the project, or of the suite with --with-suite, beside which the project has a free port"
    parser.add_argument("--port", type=int, default=8080, help=f"MCP, {whose} (default: %(default)s)")
    text = "health, metrics, of the same (default: %(default)s)"
    parser.add_argument("--management-port", type=int, default=8081, help=text)
    parser.add_argument("--catalog-port", type=int, default=8082, help="catalog page (default: %(default)s)")
    parser.add_argument("--with-suite", action="store_true", help="run the installed servers of the suite, too")
    parser.add_argument("--open", action="store_true", help="open its page in a browser")
    given = parser.parse_args(argv)
    try:
        project = read_project(given.project)
        return asyncio.run(_serve(project, given))
    except (ToolFailure, ProjectError, PortInUseError, OSError, ValueError) as error:
        print(f"kmcp-suite run: {error}", file=sys.stderr)
        return 1


async def _serve(project: Project, given: argparse.Namespace) -> int:
    await _build(project)
    # Without the suite the installed catalog would be read for nothing.
    catalog = read_catalog(None) if given.with_suite else Catalog(name=SUITE, version=VERSION, servers={})
    names, missing = installed_servers()
    options = Options(
        port=given.port,
        management_port=given.management_port,
        catalog_port=given.catalog_port,
        installed=names,
        missing={name: ", ".join(libraries) for name, libraries in missing.items()},
    )
    with kept(options) as (logged, noted):
        return await _serve_kept(project, given, catalog, logged, noted)


async def _serve_kept(
    project: Project, given: argparse.Namespace, catalog: Catalog, options: Options, noted: Callable[[Suite], None]
) -> int:
    """`noted` is told when every server has answered or cannot."""
    tasks: list[asyncio.Task[None]] = []

    def ready(suite: Suite) -> None:
        noted(suite)
        (server,) = [each for each in suite.servers if each.name == project.name]
        page = f"{options.url(options.catalog_port)}/"
        print(f"{project.name}: {server.url} (page: {page})", flush=True)
        print(f"inspect it: npx @modelcontextprotocol/inspector --transport http --server-url {server.url}", flush=True)
        if given.open:
            webbrowser.open(page)
        tasks.append(asyncio.create_task(_reload(project, suite)))

    try:
        return await up(catalog, [_manifest(project)], options, ready)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _manifest(project: Project) -> dict[str, Any]:
    """As a stdio server: the bridge serves it over HTTP, whatever its language."""
    target = of_project(project)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": project.name, "namespace": "local"},
        "spec": {
            "transportType": "stdio",
            # A cluster would take the image; on this machine the bridge starts the command.
            "deployment": {
                "image": project.image,
                "cmd": "/usr/bin/env",
                "args": ["-C", target.folder, *target.command],
            },
        },
    }


async def _reload(project: Project, suite: Suite) -> None:
    """End the project's process when a file has changed; what keeps it running starts the new one."""
    (server,) = [each for each in suite.servers if each.name == project.name]
    before = await asyncio.to_thread(_stamps, project.folder)
    pending = set[str]()  # since the process started: a file that could not be compiled then must be now
    while True:
        await asyncio.sleep(_SECONDS)
        after = await asyncio.to_thread(_stamps, project.folder)
        if after != before:
            changed = sorted(name for name, _ in after.items() ^ before.items())
            before = after
            print(f"run: {', '.join(dict.fromkeys(changed))} changed; starting {project.name} anew", file=sys.stderr)
            pending |= set(changed)
            try:
                await _build(project)
                await _compile(project, pending)
            except (ProjectError, ToolFailure) as error:
                print(f"run: {error}; what ran before stays", file=sys.stderr)
                continue
            pending.clear()
            if server.child:
                await server.child.restart()


async def _build(project: Project) -> None:
    """What a compiled language needs before its server can start. Errors: ProjectError with the compiler's words."""
    if project.build:
        await _run_compiler(project, " ".join(project.build), project.build, _BUILD_SECONDS)


async def _compile(project: Project, changed: Collection[str]) -> None:
    """Python has no build: the changed files alone, by the project's own interpreter, whose syntax may be another.

    Errors: ProjectError with its words.
    """
    files = sorted(name for name in changed if name.endswith(".py") and (project.folder / name).is_file())
    if project.language != "python" or not files:
        return
    own = project.folder / ".venv" / "bin" / "python"
    # What it writes must not be taken for what an import has made, nor stand in the project.
    with tempfile.TemporaryDirectory(prefix="compiled-", dir=private_files.folder()) as cache:
        python = [str(own) if own.exists() else sys.executable, "-X", f"pycache_prefix={cache}"]
        argv = [*python, "-m", "py_compile", *(f"./{name}" for name in files)]
        await _run_compiler(project, "compiling", argv, _COMPILE_SECONDS)


async def _run_compiler(project: Project, what: str, argv: Sequence[str], seconds: float) -> None:
    done = await command.run(argv, env=dict(os.environ), seconds=seconds, directory=str(project.folder))
    if done.code:
        said = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise ProjectError("\n".join([f"{what} failed", *said[-_LINES:]]))


def _stamps(folder: Path) -> dict[str, int]:
    return dict(_files(folder, folder))


def _files(folder: Path, root: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in _IGNORED:
            yield from _files(path, root)
        elif path.suffix in _WATCHED:
            try:
                yield str(path.relative_to(root)), path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor replaces a file so
                continue
