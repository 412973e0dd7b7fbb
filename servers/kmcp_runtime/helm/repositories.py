"""Chart repositories of this server: its own repository file, kept by the helm binary, and the indexes in its cache."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from kmcp_runtime import private_files, versions, yaml_text
from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, conflict, did_you_mean, not_found, quoted_list, unavailable
from kmcp_runtime.helm import home, indexes
from kmcp_runtime.helm.binary import Binary
from kmcp_runtime.helm.fetching import Fetcher, Login
from kmcp_runtime.helm.origins import Origins
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.hints import by_tool
from kmcp_runtime.settings import listed

# A repository's name is part of file names in helm's cache and of repo/chart: no slash, no leading dot.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NEWEST = 5
Entry = indexes.Entry


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

    @property
    def registries(self) -> str:
        """Path of the logins of registries, empty without one."""
        return self._settings.helm_registries

    @cached_property
    def fetcher(self) -> Fetcher:
        return Fetcher(self.origins)

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
        await self._read_index(call, {"name": name, "url": url})
        others = [entry for entry in self._entries() if entry["name"] != name]
        _write(self.binary.home.repositories, [*others, {"name": name, "url": url}])
        return Repository(name, url)

    async def update(self, call: Call, name: str) -> None:
        """Read the index of a repository again."""
        await self._read_index(call, self._entry(name))

    async def _read_index(self, call: Call, entry: Entry) -> None:
        name, url = str(entry["name"]), str(entry["url"])
        parts = urlsplit(url)
        index = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/index.yaml"))
        try:
            content = await self.fetcher.fetch(index, "url", Login.of(entry))
        except ToolFailure as failure:
            if failure.code != "not_found":
                raise
            raise unavailable(f"{url} is not a valid chart repository: {failure.message}", failure.hint) from None
        charts = await indexes.read_charts(self.binary, call, content, url)
        folder = home.made(self.binary.home.indexes)
        _replace(folder / f"{name}-index.yaml", content.decode(errors="replace"))
        _replace(folder / f"{name}-charts.txt", "".join(f"{chart}\n" for chart in charts))

    def _entry(self, name: str) -> Entry:
        found = next((entry for entry in self._entries() if entry["name"] == name), None)
        if found is None:
            raise absent(name, self.all())
        return found

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
        found = _read(path, name, chart)
        if not found or (version and versions.parse(version) and not indexes.of_version(found, version)):
            await self.update(call, name)
            found = _read(path, name, chart)
        if not found:
            suggestion = did_you_mean(chart, self.charts(name))
            raise not_found(
                f"repository {name} has no chart {chart!r}", suggestion or f"its charts: {_few(self.charts(name))}"
            )
        return found

    async def fetch_chart(self, call: Call, name: str, chart: str, version: str | None) -> bytes:
        """The archive of a chart, from where the index says, if charts may come from there."""
        entry = self._entry(name)
        url = await self._find_source(call, name, chart, version)
        absolute = urljoin(f"{str(entry['url']).rstrip('/')}/", url)
        return await self.fetcher.fetch(absolute, f"chart: repository {name} points to {absolute}", Login.of(entry))

    async def _find_source(self, call: Call, name: str, chart: str, version: str | None) -> str:
        """The URL of the chart in this version, as the index has it: helm reads ranges, and takes the first URL."""
        entries = await self.list_versions(call, name, chart, version)
        known = [str(entry.get("version")) for entry in entries]
        wanted = version if version in known else await indexes.choose(self.binary, call, chart, known, version)
        if wanted is None:
            which = f"version {version}" if version else "version that is not a pre-release"
            raise not_found(f"chart {name}/{chart} has no {which}", f"newest versions: {', '.join(known[:_NEWEST])}")
        place = indexes.place_of(entries, wanted)
        if place is None:
            raise unavailable(f"the index of {name} names no place of {chart} {wanted}", "ask who keeps the repository")
        return place

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
    _replace(path, yaml_text.write(_document(entries)))


def _replace(path: Path, text: str) -> None:
    # Renamed into place: who reads now reads the old file or the new one, never half of it.
    private_files.write(path.with_name(f".{path.name}.{os.getpid()}"), text).replace(path)


def _document(entries: Sequence[Entry]) -> dict[str, Any]:
    return {"apiVersion": "", "repositories": [dict(entry) for entry in entries]}


def _read(path: Path, name: str, chart: str) -> list[Entry]:
    try:
        return indexes.entries_of(path.read_text(errors="replace"), chart) if path.is_file() else []
    except yaml_text.YamlError as error:
        raise unavailable(f"the index of {name} cannot be read: {error}", "ask who keeps the repository") from None


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
