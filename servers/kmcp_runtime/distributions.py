"""The distribution that a server comes in: its version, licence and homepage are the server's own facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from re import IGNORECASE, compile

from kmcp_runtime.version import VERSION

SERVERS = "kmcp.servers"
"""Entry points of servers."""
SUITE = "kmcp-suite"
_REQUIRED = compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?")
_EXTRA = compile(r"""extra\s*==\s*["']([^"']+)["']""")
_HOMEPAGES = ("homepage", "home-page", "repository", "source", "source code", "documentation")
_LICENCE = compile(r"license\s*::\s*(?:osi approved\s*::\s*)?(.+)$", IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """What a distribution says of itself; empty where it says nothing."""

    name: str
    version: str
    license: str = ""
    homepage: str = ""


def server_points() -> dict[str, EntryPoint]:
    """The installed servers by their names."""
    return {found.name: found for found in entry_points(group=SERVERS)}


def is_own(point: EntryPoint) -> bool:
    """Whether a server is the suite's own, not one of another distribution."""
    return point.dist is None or normalized(point.dist.name) == SUITE


def version_of(servers: Sequence[str]) -> str:
    """What a process reports: the version of a server's own distribution, else the suite's."""
    point = server_points().get(servers[0]) if len(servers) == 1 else None
    return VERSION if point is None or point.dist is None or is_own(point) else point.dist.version


def facts_of(found: Distribution) -> Facts:
    metadata = found.metadata
    licence = _first(found, "License-Expression") or _classified(metadata.get_all("Classifier") or [])
    # The old field may hold the whole text of a licence; a line is what a catalog has room for.
    licence = licence or _first(found, "License").strip().partition("\n")[0][:100]
    return Facts(
        found.name, found.version, licence, _homepage(_first(found, "Home-page"), metadata.get_all("Project-URL"))
    )


def _first(found: Distribution, field: str) -> str:
    return next(iter(found.metadata.get_all(field) or ()), "")


def _classified(classifiers: list[str]) -> str:
    return next((match[1].strip() for each in classifiers if (match := _LICENCE.match(each))), "")


def _homepage(old: str, labelled: list[str] | None) -> str:
    urls = {label.strip().lower(): url.strip() for label, _, url in (each.partition(",") for each in labelled or ())}
    found = next((urls[label] for label in _HOMEPAGES if urls.get(label)), old)
    return found if found.startswith(("https://", "http://")) else ""


def missing_libraries(point: EntryPoint) -> list[str]:
    """Distributions that the server's extra asks for and that are not installed; an extra has the server's name."""
    return sorted(set(_missing(point.dist, point.name))) if point.dist is not None else []


def _missing(found: Distribution, extra: str) -> list[str]:
    names: list[str] = []
    for line in found.requires or ():
        requirement, _, marker = line.partition(";")
        wanted = _EXTRA.search(marker)
        match = _REQUIRED.match(requirement.strip())
        if wanted is None or match is None or normalized(wanted[1]) != normalized(extra):
            continue
        if normalized(match["name"]) == normalized(found.name):
            inner = [each.strip() for each in (match["extras"] or "").split(",") if each.strip()]
            names += [name for each in inner for name in _missing(found, each)]
        elif not is_installed(match["name"]):
            names.append(match["name"])
    return names


def is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def normalized(name: str) -> str:
    """A distribution's name as indexes compare names."""
    return compile(r"[-_.]+").sub("-", name).lower()
