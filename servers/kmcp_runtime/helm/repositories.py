"""Chart repositories of this server: its own repository file, kept by the helm binary, and the indexes in its cache."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kmcp_runtime import json_text, private_files, yaml_text
from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, conflict, did_you_mean, not_found, quoted_list, unavailable
from kmcp_runtime.helm import home
from kmcp_runtime.helm.binary import Binary
from kmcp_runtime.helm.origins import Origin, Origins
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.hints import by_tool
from kmcp_runtime.settings import listed

# A repository's name is part of file names in helm's cache and of repo/chart: no slash, no leading dot.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SECONDS = 120.0
_MOST_NODES = 1_000_000
"""Of the part of an index that is about one chart: the most frequently released charts have thousands of versions."""
_NEWEST = 5
_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+.*)?")
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Repository:
    name: str
    url: str


class Repositories:
    """What `helm repo` knows here. The configured ones are added at first use."""

    def __init__(self, binary: Binary, settings: HelmSettings) -> None:
        self.binary = binary
        self._settings = settings
        self._written = False

    @cached_property
    def origins(self) -> Origins:
        """Where charts may come from: the allowed hosts, and those of the configured repositories."""
        return Origins(
            [*listed(self._settings.chart_hosts), *(str(entry.get("url", "")) for entry in self._configured)]
        )

    @cached_property
    def _configured(self) -> list[Entry]:
        # Read at first use: a wrong setting fails the tools that need it, not the whole server.
        return configured(self._settings)

    def all(self) -> list[Repository]:
        return [Repository(str(entry["name"]), str(entry.get("url", ""))) for entry in self._entries()]

    def named(self, name: str) -> Repository | None:
        return next((found for found in self.all() if found.name == name), None)

    @property
    def lasting(self) -> bool:
        """Whether what is added outlives this process."""
        return bool(self._settings.helm_home)

    async def check(self, name: str, url: str, *, force: bool = False) -> None:
        """Refuse a repository that may not be added, for its name, its host, or another URL under the same name."""
        if not _NAME.fullmatch(name):
            raise bad_argument(
                f"name: {name!r} is not a valid repository name", "use letters, digits, '-', '_' and '.'"
            )
        await self.origins.admit(url, "url")
        if url.startswith("oci:"):
            raise bad_argument("url: an OCI registry is not a chart repository", "give oci://… as the chart instead")
        known = self.named(name)
        if known is not None and known.url.rstrip("/") != url.rstrip("/") and not force:
            raise conflict(
                f"repository {name} already has the URL {known.url}", "choose another name, or use force_update=true"
            )

    async def add(self, call: Call, name: str, url: str, *, force: bool = False) -> Repository:
        """Add a repository, or leave it as it is; its index is read at once."""
        await self.check(name, url, force=force)
        flags = ["--force-update"] if force else []
        await self.binary.run(call, ("repo", "add"), (name, url), flags=flags, seconds=_SECONDS)
        return Repository(name, url)

    async def update(self, call: Call, name: str) -> None:
        """Read the index of a repository again."""
        # Writes the configured repositories first, or helm would not know them.
        self.all()
        # Helm 3 succeeds although no index could be read; Helm 4 has no such flag, it fails by itself.
        flags = ["--fail-on-repo-update-fail"] if await self.binary.read_major(call) == 3 else []
        await self.binary.run(call, ("repo", "update"), (name,), flags=flags, seconds=_SECONDS)

    def charts(self, name: str) -> list[str]:
        """Names of its charts, as far as the index has been read."""
        path = self.binary.home.indexes / f"{name}-charts.txt"
        return path.read_text().split() if path.is_file() else []

    def read_at(self, name: str) -> float | None:
        """When its index was read last, in seconds since 1970."""
        path = self.binary.home.indexes / f"{name}-index.yaml"
        return path.stat().st_mtime if path.is_file() else None

    async def list_versions(self, call: Call, name: str, chart: str, version: str | None) -> list[Entry]:
        """The index's entries of a chart, newest first; it is read again when the chart or version is not in it."""
        path = self.binary.home.indexes / f"{name}-index.yaml"
        found = _section(path, chart)
        if not found or (version and _RELEASE.fullmatch(version) and not _of_version(found, version)):
            await self.update(call, name)
            found = _section(path, chart)
        if not found:
            suggestion = did_you_mean(chart, self.charts(name))
            raise not_found(
                f"repository {name} has no chart {chart!r}", suggestion or f"its charts: {_few(self.charts(name))}"
            )
        return sorted(found, key=_rank, reverse=True)

    async def list_sources(self, call: Call, name: str, chart: str, version: str | None) -> list[str]:
        """The URLs that the chart in this version (any, without one) would come from, as the index has them."""
        entries = await self.list_versions(call, name, chart, version)
        if version and _RELEASE.fullmatch(version):
            exact = _of_version(entries, version)
            if not exact:
                newest = ", ".join(str(entry.get("version")) for entry in entries[:_NEWEST])
                raise not_found(f"chart {name}/{chart} has no version {version}", f"newest versions: {newest}")
            entries = exact
        # Helm downloads from the first URL only.
        return [str(url) for entry in entries for url in (entry.get("urls") or ())[:1]]

    async def admit_source(self, name: str, url: str) -> None:
        """Refuse a chart's URL in a repository's index, unless it is of the same origin or of one that is allowed."""
        own = self.named(name)
        if own is None or Origin.of(urlsplit(own.url)) != Origin.of(urlsplit(url)):
            await self.origins.admit(url, f"chart: repository {name} points to {url}")

    def _entries(self) -> list[Entry]:
        path = self.binary.home.repositories
        kept = _repositories(path) if path.is_file() else []
        if not self._written:
            names = {entry["name"] for entry in self._configured}
            kept = [*self._configured, *(entry for entry in kept if entry["name"] not in names)]
            if self._configured:
                _write(path, kept)
            self._written = True
        return kept


def configured(settings: HelmSettings) -> list[Entry]:
    """Repositories that the configuration names."""
    found: list[Entry] = _repositories(Path(settings.helm_repositories)) if settings.helm_repositories else []
    for entry in listed(settings.chart_repositories):
        name, separator, url = entry.partition("=")
        if not separator or not _NAME.fullmatch(name) or "://" not in url:
            raise unavailable(f"KMCP_CHART_REPOSITORIES: {entry!r} is not name=URL", "correct the setting")
        found.append({"name": name, "url": url})
    return found


def _repositories(path: Path) -> list[Entry]:
    try:
        document = yaml_text.read(path.read_text(), repeated_keys=True) or {}
        return [entry for entry in document.get("repositories") or () if entry.get("name")]
    except (OSError, yaml_text.YamlError, AttributeError) as error:
        raise unavailable(f"cannot read {path}: {error}", "it must be a repositories.yaml of Helm") from None


def _write(path: Path, entries: Sequence[Entry]) -> None:
    home.made(path.parent)
    beside = private_files.write(path.with_name(f".{path.name}.{os.getpid()}"), yaml_text.write(_document(entries)))
    # Renamed into place: a helm that runs now reads the old file or the new one, never half of it.
    beside.replace(path)


def _document(entries: Sequence[Entry]) -> dict[str, Any]:
    return {"apiVersion": "", "repositories": [dict(entry) for entry in entries]}


def _section(path: Path, chart: str) -> list[Entry]:
    """The entries of one chart. Only its part of the index is parsed: a whole index can have tens of megabytes."""
    if not path.is_file():
        return []
    text = path.read_text(errors="replace")
    if text.lstrip().startswith("{"):
        return _entries_in(json_text.read(text), chart)
    # As helm writes an index: charts indented by two spaces below `entries:`.
    start = re.search(rf"^  [\"']?{re.escape(chart)}[\"']?:[ ]*\n", text, re.MULTILINE)
    if start is None:
        return _whole(text, chart) if f"{chart}:" in text else []
    end = re.compile(r"^(?:  )?[^\s-]", re.MULTILINE).search(text, start.end())
    return _entries_of(
        yaml_text.read(text[start.end() : end.start() if end else None], repeated_keys=True, most_nodes=_MOST_NODES)
    )


def _whole(text: str, chart: str) -> list[Entry]:
    """For indexes that are not indented as helm writes them."""
    document = yaml_text.read(text, repeated_keys=True, most_nodes=_MOST_NODES)
    return _entries_in(document, chart)


def _entries_in(document: Any, chart: str) -> list[Entry]:
    entries = document.get("entries") if isinstance(document, dict) else None
    return _entries_of(entries.get(chart) if isinstance(entries, dict) else None)


def _entries_of(found: Any) -> list[Entry]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _of_version(entries: Sequence[Entry], version: str) -> list[Entry]:
    wanted = version.removeprefix("v")
    return [entry for entry in entries if str(entry.get("version", "")).removeprefix("v") == wanted]


def _rank(entry: Entry) -> tuple[int, ...]:
    """Higher is newer; a pre-release comes before its release."""
    match = _RELEASE.fullmatch(str(entry.get("version", "")))
    return (int(match[1]), int(match[2]), int(match[3]), 0 if match[4] else 1) if match else (-1,)


def _few(names: Sequence[str]) -> str:
    shown = quoted_list(names[:10]) or "none"
    return f"{shown}, …" if len(names) > 10 else shown


def absent(name: str, known: Sequence[Repository]) -> ToolFailure:
    names = [repository.name for repository in known]
    suggestion = did_you_mean(name, names)
    return not_found(
        f"no repository {name!r}",
        suggestion or "; ".join(filter(None, (f"known: {_few(names)}", by_tool("repositories", "adds one")))),
    )
