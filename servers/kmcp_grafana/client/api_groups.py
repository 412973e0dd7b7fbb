"""Which of the newer APIs (`/apis/<group>/<version>`) a Grafana serves: asked once, when it is first needed."""

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
"""The versions of each group that are used here, best first; alpha versions may change at any time."""


@dataclass(frozen=True)
class Group:
    """A group that Grafana serves, in the version that is used here."""

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
        """The group, or None when Grafana has only the older routes below `/api`."""
        versions = (await self._load_groups()).get(name, ())
        spoken = next((version for version in SPOKEN[name] if version in versions), None)
        return Group(name, spoken, versions, self._namespace) if spoken else None

    async def read_version(self) -> str:
        """Grafana's version, `unknown` when Grafana hides it."""
        if self._version is None:
            health = await self._upstream.read("GET", "/api/health")
            self._version = str(health.get("version") or "unknown")
        return self._version

    async def _load_groups(self) -> dict[str, tuple[str, ...]]:
        # Calls run side by side, and the first of them may all come before the answer.
        async with self._asking:
            if self._groups is None:
                groups = await self._fetch_groups()
                if groups and not self._namespace:
                    self._namespace = await self._read_namespace()
                # Only when the namespace is known, too: a failure in between must be asked for again.
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
        # Grafana's own rule: the first organisation is the namespace `default`.
        return "default" if number == 1 else f"org-{number}"
