"""Charts: which forms a reference has, and whether its source is allowed."""

import re
from dataclasses import dataclass
from pathlib import Path

from kmcp_runtime import versions
from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, denied, not_found
from kmcp_runtime.helm import indexes
from kmcp_runtime.helm.registries import Place, Registry
from kmcp_runtime.helm.repositories import Repositories
from kmcp_runtime.hints import by_tool

_IN_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)")
# The characters of a semantic version and of Helm's ranges, without a leading '-'.
_VERSION = re.compile(r"[A-Za-z0-9^~<>=!*][A-Za-z0-9.+~^<>=!*|, -]{0,99}")
_FORMS = "repository/name, oci://…, an https archive"


@dataclass(frozen=True)
class Chart:
    """A chart as the binary accepts it."""

    operand: str
    local: bool = False
    """True for a file or directory on this machine; only such a one is given to the binary."""
    version: str | None = None
    """Of a chart elsewhere: the version or range that was asked for."""
    plain: bool = False
    """Of a registry: over plain HTTP."""


class Charts:
    """Turns references into operands and refuses what is not allowed."""

    def __init__(self, repositories: Repositories, directory: str) -> None:
        self.repositories = repositories
        self._directory = Path(directory).resolve() if directory else None

    async def resolve(self, call: Call, reference: str, version: str | None) -> Chart:
        """Errors: `bad_argument` (not a reference, not a version), `denied` (not allowed), `not_found` (not there)."""
        version = version and (version.strip() or version)
        if version is not None and not _VERSION.fullmatch(version):
            raise bad_argument(f"version: {version!r} is not a valid version", "write 1.2.3 or a range such as ^1.2")
        if "://" in reference:
            reach = await self.repositories.origins.admit(reference, "chart")
            return Chart(reference, version=version, plain=reach.plain)
        match = _IN_REPOSITORY.fullmatch(reference)
        if match and self.repositories.named(match[1]) is not None:
            return Chart(reference, version=version)
        local = self._local(reference)
        if local is not None and version is not None:
            raise bad_argument(
                f"version: the chart at {local} has only one version", "leave version out for local charts"
            )
        if local is not None:
            return Chart(str(local), local=True)
        raise self._refusal(reference)

    async def fetch(self, call: Call, chart: Chart) -> bytes:
        """The archive of a chart that is not local."""
        if chart.operand.startswith("oci:"):
            return await self._pull(call, chart)
        if "://" in chart.operand:
            return await self.repositories.fetcher.fetch(chart.operand, "chart")
        repository, _, name = chart.operand.partition("/")
        return await self.repositories.fetch_chart(call, repository, name, chart.version)

    async def _pull(self, call: Call, chart: Chart) -> bytes:
        place = Place.of(chart.operand)
        registry = Registry(self.repositories.fetcher, place, self.repositories.registries, plain=chart.plain)
        return await registry.pull(place.reference or await self._find_tag(call, registry, place, chart.version))

    async def _find_tag(self, call: Call, registry: Registry, place: Place, version: str | None) -> str:
        """The tag of a version; a registry allows no `+` in a tag, so helm writes `_`."""
        if version and versions.parse(version):
            return version.replace("+", "_")
        known = (await registry.list_tags()).of_each(lambda tag: tag.replace("_", "+"))
        name = place.name.rpartition("/")[2]
        found = await indexes.choose(self.repositories.binary, call, name, filter(versions.parse, known), version)
        if found is None:
            newest = ", ".join(sorted(known)[-5:]) or "none"
            raise not_found(
                known.absence(f"{place.host}/{place.name} has no version {version or 'that is a release'}: not found"),
                f"tags: {newest}",
            )
        return found.replace("+", "_")

    def _local(self, reference: str) -> Path | None:
        """The chart below the configured directory, with links resolved; None when there is none."""
        if self._directory is None or "\0" in reference:
            return None
        # Links are resolved before the check, or one inside could lead out of the directory.
        path = (self._directory / reference).resolve()
        inside = path != self._directory and path.is_relative_to(self._directory)
        return path if inside and path.exists() else None

    def _refusal(self, reference: str) -> ToolFailure:
        names = ", ".join(repository.name for repository in self.repositories.all()) or "none"
        known = f"repositories: {names}; allowed hosts: {self.repositories.origins}"
        if self._directory is not None:
            known += f"; local charts below {self._directory}"
        message = f"chart: {reference!r} is neither in a configured repository nor in an allowed place ({known})"
        adding = by_tool("repositories", "adds a repository on an allowed host")
        return denied(message, "; ".join(filter(None, (f"give {_FORMS}", adding))))
