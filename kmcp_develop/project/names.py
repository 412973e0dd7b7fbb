"""Names of projects and tools, and what is derived of them."""

import keyword
import re
import sys

from kmcp_runtime.distributions import server_points

LONGEST = 50
_PROJECT = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_TOOL = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset({"con", "prn", "aux", "nul", "test", "tests", "kmcp", "site", "none", "true", "false"})


class InvalidNameError(ValueError):
    """Says what is wrong with a name, and which one would do."""


def check_project(name: str) -> str:
    """A DNS label, as the server's name in a cluster, that is also a package once its dashes are underscores."""
    if not _PROJECT.fullmatch(name) or len(name) > LONGEST or "--" in name:
        near = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", name.lower())).strip("-0123456789")[:LONGEST].strip("-")
        hint = f": {near!r} would do" if near and near != name else ""
        raise InvalidNameError(
            f"{name!r} is not a name: it takes lower-case letters, digits and single dashes, begins with a letter and "
            f"has at most {LONGEST} characters{hint}"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _RESERVED | sys.stdlib_module_names:
        raise InvalidNameError(
            f"{name!r} is taken by the language, the system or an installed package: choose another name"
        )
    if name in server_points():
        raise InvalidNameError(f"{name!r} is a server that is installed already: choose another name")
    return name


def check_tool(name: str, prefix: str) -> str:
    """A function's name that begins with the server's, so that no other server's tool collides with it."""
    if not _TOOL.fullmatch(name) or len(name) > LONGEST or keyword.iskeyword(name):
        raise InvalidNameError(
            f"{name!r} is not the name of a tool: it takes lower-case letters, digits and underscores, begins with a "
            f"letter and has at most {LONGEST} characters"
        )
    return name if name.startswith(f"{prefix}_") else f"{prefix}_{name}"


def package_of(project: str) -> str:
    return project.replace("-", "_")
