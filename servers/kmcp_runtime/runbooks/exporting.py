"""`kmcp-suite skills`: the runbooks as folders for clients that read skills from files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kmcp_runtime.commands import complain
from kmcp_runtime.distributions import server_points
from kmcp_runtime.errors import suggesting
from kmcp_runtime.runbooks.reading import Runbook, runbooks_of
from kmcp_runtime.runbooks.wording import GENERATOR, skill_text
from kmcp_runtime.settings import SettingsError

if TYPE_CHECKING:
    from kmcp_runtime.server import Server

_PROGRAM = "kmcp-suite skills"
_FILE = "SKILL.md"
_MARK = f"generator: {GENERATOR}"


def main(argv: Sequence[str]) -> int:
    """List the runbooks, or write each as a skill: a folder with SKILL.md, for clients that read skills from files."""
    given = _parser().parse_args(argv)
    points = server_points()
    for name in given.server:
        if name not in points:
            return complain(suggesting(f"no server {name!r}", name, points), _PROGRAM)
    try:
        found = runbooks_of([cast("Server", points[name].load()) for name in given.server or sorted(points)])
    except SettingsError as error:
        return complain(str(error), _PROGRAM)
    return _list(found) if given.what == "list" else _export(found, given.folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(_PROGRAM, description=main.__doc__, allow_abbrev=False)
    common = argparse.ArgumentParser(add_help=False)
    text = "only what these servers can follow together; may be repeated (default: every one that is installed)"
    common.add_argument("--server", action="append", default=[], metavar="NAME", help=text)
    commands = parser.add_subparsers(dest="what", required=True, metavar="list|export")
    commands.add_parser("list", parents=[common], help="print their names and what each is for")
    export = commands.add_parser("export", parents=[common], help="write them as folders with SKILL.md")
    export.add_argument("folder", type=Path, metavar="DIR", help="such as ~/.claude/skills; made where it is missing")
    return parser


def _list(found: Sequence[Runbook]) -> int:
    width = max((len(each.name) for each in found), default=0)
    for each in found:
        print(f"{each.name:{width}}  {each.description}")
    return 0


def _export(found: Sequence[Runbook], folder: Path) -> int:
    # Looked at before the first is written: an export is whole, or did not happen.
    for each in found:
        if (reason := _foreign(folder / each.name / _FILE)) is not None:
            return complain(f"{reason}; move it away, or export into another folder", _PROGRAM)
    changed = 0
    try:
        for each in found:
            changed += _write(folder / each.name / _FILE, skill_text(each))
    except OSError as error:
        return complain(f"{error.filename or folder}: {error.strerror}", _PROGRAM)
    print(f"{folder}: {len(found)} skills, {changed} of them written anew", file=sys.stderr)
    return 0


def _foreign(path: Path) -> str | None:
    """Why this file may not be overwritten."""
    if link := next((each for each in (path, path.parent) if each.is_symlink()), None):
        return f"{link} is a link, and what it leads to may be somebody else's"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        return f"{path} cannot be read"
    return None if _MARK in text else f"{path} is not from this command"


def _write(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
