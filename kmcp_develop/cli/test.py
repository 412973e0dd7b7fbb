"""`kmcp-suite test`: the contract as a report, for a project, a manifest, an address or a command."""

import argparse
import asyncio
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from kmcp_develop.contract.probe import Target, UnreachableError, probe
from kmcp_develop.contract.report import Report, as_json, junit, text
from kmcp_develop.project.description import Project, ProjectError, read_project
from kmcp_runtime.catalog import TOKEN_LIMIT
from kmcp_runtime.durations import time_limit

from .manifest import read_one

FAULTS, NOT_ASKED = 1, 2
_PLACE = re.compile(r"[\w.-]+(/[\w.-]+)+")


def test(argv: Sequence[str]) -> int:
    """Hold an MCP server, yours or a foreign one, to the contract; exit code 1 for errors, 2 if it cannot be asked."""
    parser = argparse.ArgumentParser("kmcp-suite test", description=test.__doc__)
    parser.add_argument(
        "target", nargs="?", default=".", help="project, MCPServer manifest or URL (default: this folder)"
    )
    parser.add_argument("--stdio", metavar="COMMAND", help="a command that serves over stdio, as one word")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE", help="of requests to a URL")
    parser.add_argument("--format", choices=("text", "json", "junit"), default="text")
    parser.add_argument("--output", type=Path, help="write the report there")
    about = "tokens of a tool on average (default: %(default)s)"
    parser.add_argument("--budget", type=int, default=TOKEN_LIMIT, help=about)
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument(
        "--timeout", type=time_limit, default=60.0, help="seconds for each request (default: %(default)s)"
    )
    given = parser.parse_args(argv)
    try:
        report = asyncio.run(probe(_target(given), given.budget, given.timeout))
        _write(_formatted(report, given), given.output)
    except (UnreachableError, ProjectError, OSError, ValueError) as error:
        print(f"kmcp-suite test: {error}", file=sys.stderr)
        return NOT_ASKED
    return FAULTS if report.failed(given.strict) else 0


def _target(given: argparse.Namespace) -> Target:
    if given.stdio is not None:
        words = tuple(shlex.split(given.stdio))
        if not words:
            raise ProjectError("--stdio: give the command that starts the server")
        return Target(given.stdio, command=words)
    if given.target.startswith(("http://", "https://")):
        return Target(given.target, url=given.target, headers=dict(map(_header, given.header)))
    path = Path(given.target)
    if path.is_dir():
        return of_project(read_project(path))
    if path.is_file():
        return _of_manifest(path)
    raise ProjectError(f"{given.target} is neither a project, nor a manifest, nor a URL with http:// or https://")


def of_project(project: Project) -> Target:
    program = project.folder / project.command[0]
    # The program itself, or the file that an interpreter is given: `node dist/src/server.js`.
    places = [word for word in project.command if _PLACE.fullmatch(word)] if project.build else project.command[:1]
    for word in places:
        if "/" in word and not (project.folder / word).exists():
            raise ProjectError(
                f"{project.folder / word} is not there yet: run `make check test` in {project.folder} first"
            )
    command = (str(program) if program.is_file() else project.command[0], *project.command[1:])
    return Target(project.name, command=command, folder=str(project.folder))


def _of_manifest(path: Path) -> Target:
    server, _ = read_one(path, "tested")
    if server.transport != "stdio" or not server.deployment.cmd:
        raise ProjectError(f"{path}: an image runs in a cluster only; deploy it and test its URL")
    return Target(server.name, command=(server.deployment.cmd, *server.deployment.args), env=server.deployment.env)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ProjectError(f"--header {name}: write it as NAME: VALUE")
    return name.strip(), value.strip()


def _formatted(report: Report, given: argparse.Namespace) -> str:
    if given.format == "json":
        return as_json(report)
    return junit(report, given.strict) if given.format == "junit" else text(report)


def _write(body: str, to: Path | None) -> None:
    if to is None:
        print(body)
    else:
        to.write_text(body + os.linesep)
