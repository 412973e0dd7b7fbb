"""Which of Grafana's newer APIs (`/apis/<group>/<version>`) a server has: asked once, when first needed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from kmcp_grafana.settings import GrafanaSettings
from kmcp_runtime.upstream import Refused, Upstream

SPOKEN: Mapping[str, tuple[str, ...]] = {
    "dashboard.grafana.app": ("v1", "v1beta1"),
    "folder.grafana.app": ("v1", "v1beta1"),
    "playlist.grafana.app": ("v1",),
}
"""The versions of each group that this server speaks, best first; alpha versions may change at any time."""


@dataclass(frozen=True)
class Group:
    """A group that is served, in the version that is spoken here."""

    name: str
    version: str
    versions: tuple[str, ...]
    namespace: str

    def path(self, resource: str, version: str | None = None) -> str:
        return f"/apis/{self.name}/{version or self.version}/namespaces/{self.namespace}/{resource}"


class ApiGroups:
    def __init__(self, upstream: Upstream, settings: GrafanaSettings) -> None:
        self._upstream = upstream
        self._settings = settings
        self._groups: dict[str, tuple[str, ...]] | None = None
        self._namespace = settings.grafana_namespace
        self._version: str | None = None
        self._asking = asyncio.Lock()

    async def find(self, name: str) -> Group | None:
        """The group, or None where the older routes below `/api` have to do."""
        versions = (await self._load_groups()).get(name, ())
        spoken = next((version for version in SPOKEN[name] if version in versions), None)
        return Group(name, spoken, versions, self._namespace) if spoken else None

    async def read_version(self) -> str:
        """Grafana's version, `unknown` where it is hidden."""
        if self._version is None:
            health = await self._upstream.read("GET", "/api/health")
            self._version = str(health.get("version") or "unknown")
        return self._version

    async def _load_groups(self) -> dict[str, tuple[str, ...]]:
        async with self._asking:
            if self._groups is None:
                groups = await self._fetch_groups()
                if groups and not self._namespace:
                    self._namespace = await self._read_namespace()
                self._groups = groups
        return self._groups

    async def _fetch_groups(self) -> dict[str, tuple[str, ...]]:
        try:
            answer = await self._upstream.read("GET", "/apis")
        except Refused as refused:
            if refused.status in (403, 404):  # Grafana before version 12.
                return {}
            raise
        return {
            group["name"]: tuple(version["version"] for version in group.get("versions", ()))
            for group in answer.get("groups", ())
            if group.get("name") in SPOKEN
        }

    async def _read_namespace(self) -> str:
        number = (await self._upstream.read("GET", "/api/org"))["id"]
        return "default" if number == 1 else f"org-{number}"
