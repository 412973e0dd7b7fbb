"""Names of projects and tools, and what is derived of them."""

import keyword
import re
import sys
import sysconfig
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from kmcp_runtime import yaml_text
from kmcp_runtime.distributions import SUITE, normalized, server_points

LONGEST = 50
LONGEST_TOOL = 64
"""Characters of a tool's whole name: models refuse a longer one."""
_PROJECT = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_TOOL = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class InvalidNameError(ValueError):
    """Says what is wrong with a name, and which one would do."""


def check_project(name: str, language: str = "python") -> str:
    """A DNS label, as the server's name in a cluster, that is also a package once its dashes are underscores."""
    if not _PROJECT.fullmatch(name) or len(name) > LONGEST or "--" in name:
        near = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", name.lower())).strip("-0123456789")[:LONGEST].strip("-")
        hint = f": {near!r} would do" if near and near != name else ""
        raise InvalidNameError(
            f"{name!r} is not a name: it takes lower-case letters, digits and single dashes, begins with a letter and "
            f"has at most {LONGEST} characters{hint}"
        )
    if name in server_points():
        raise InvalidNameError(f"{name!r} is a server that is installed already: choose another name")
    if _is_taken(name, language):
        raise InvalidNameError(
            f"{name!r} is taken by the language, the system or an installed package: choose another name"
        )
    return name


def _is_taken(name: str, language: str) -> bool:
    reserved = yaml_text.read(Path(__file__).with_name("reserved.yaml").read_text())
    if name in f"{reserved['all']} {reserved.get(language, '')}".split():
        return True
    return language == "python" and (_is_of_python(package_of(name)) or _is_installed(name))


def _is_of_python(name: str) -> bool:
    return keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names


def _is_installed(name: str) -> bool:
    """As a distribution, as a module, or as what the suite needs, installed or not: pip could never install both."""
    if _has_module(package_of(name)):
        return True
    try:
        distribution(name)
    except PackageNotFoundError:
        return normalized(name) in _required()
    return True


def _required() -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", each) for each in distribution(SUITE).requires or ())
    return {normalized(each[0]) for each in found if each}


def _has_module(package: str) -> bool:
    """A module of any distribution, by what is importable: editable ones list none. No folder where a person works."""
    here = {"", str(Path.cwd())}
    found = PathFinder.find_spec(package, [each for each in sys.path if each not in here])
    if found is None:
        return False
    # Without a file of its own it is a mere folder, but that of an installation is shared by several distributions.
    installed = tuple(sysconfig.get_path(each) for each in ("purelib", "platlib"))
    return found.has_location or any(each.startswith(installed) for each in found.submodule_search_locations or ())


def check_tool(name: str, prefix: str) -> str:
    """A function's name that begins with the server's, so that no other server's tool collides with it."""
    short = name.removeprefix(f"{prefix}_")
    if not _TOOL.fullmatch(short) or len(name) > LONGEST_TOOL or keyword.iskeyword(name):
        raise InvalidNameError(
            f"{name!r} is not the name of a tool: it takes lower-case letters, digits and single underscores, begins "
            f"with a letter and has at most {LONGEST_TOOL} characters"
        )
    whole = f"{prefix}_{short}"
    if len(whole) > LONGEST_TOOL:
        room = LONGEST_TOOL - len(prefix) - 1
        raise InvalidNameError(
            f"{whole!r} has {len(whole)} characters, and models take at most {LONGEST_TOOL}: behind {prefix}_ there is "
            f"room for {room}"
        )
    return whole


def package_of(project: str) -> str:
    return project.replace("-", "_")
