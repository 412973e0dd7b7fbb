"""Charts: which forms a reference has, and whether its source is allowed."""

import re
from dataclasses import dataclass
from pathlib import Path

from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, denied
from kmcp_runtime.helm.repositories import Repositories
from kmcp_runtime.hints import by_tool

_IN_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)")
# The characters of a semantic version and of Helm's ranges, without a leading '-'.
_VERSION = re.compile(r"[A-Za-z0-9^~<>=*][A-Za-z0-9.+~^<>=*|, -]{0,99}")
_FORMS = "repository/name, oci://…, an https archive"


@dataclass(frozen=True)
class Chart:
    """A chart as the binary accepts it."""

    operand: str
    flags: tuple[str, ...] = ()
    local: bool = False
    """True for a file or directory on this machine."""


class Charts:
    """Turns references into operands and refuses what is not allowed."""

    def __init__(self, repositories: Repositories, directory: str) -> None:
        self.repositories = repositories
        self._directory = Path(directory).resolve() if directory else None

    async def resolve(self, call: Call, reference: str, version: str | None) -> Chart:
        """Errors: `bad_argument` (not a reference, not a version), `denied` (not allowed), `not_found` (not there)."""
        if version is not None and not _VERSION.fullmatch(version):
            raise bad_argument(f"version: {version!r} is not a valid version", "write 1.2.3 or a range such as ^1.2")
        flags = (f"--version={version}",) if version else ()
        if "://" in reference:
            plain = await self.repositories.origins.admit(reference, "chart")
            is_plain_registry = plain and reference.startswith("oci:")
            return Chart(reference, (*flags, "--plain-http") if is_plain_registry else flags)
        match = _IN_REPOSITORY.fullmatch(reference)
        repository = self.repositories.named(match[1]) if match else None
        if match and repository is not None:
            # The repository may stay allowed while its index names archives on other hosts.
            await self._check_sources(call, match[1], match[2], version)
            return Chart(reference, flags)
        local = self._local(reference)
        if local is not None and version is not None:
            raise bad_argument(
                f"version: the chart at {local} has only one version", "leave version out for local charts"
            )
        if local is not None:
            return Chart(str(local), local=True)
        raise self._refusal(reference)

    async def _check_sources(self, call: Call, repository: str, chart: str, version: str | None) -> None:
        """Refuse a chart whose index entry points to a host that is not allowed: an index may point anywhere."""
        found = await self.repositories.list_sources(call, repository, chart, version)
        for url in dict.fromkeys(found):
            if "://" in url:
                await self.repositories.admit_source(repository, url)

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
