"""One revision of a release, as Helm 3 and 4 store and print it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_runtime.helm import values

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Release:
    """What was deployed. Times are RFC 3339 texts, empty when Helm has none."""

    name: str
    namespace: str
    revision: int
    status: str
    description: str = ""
    first_deployed: str = ""
    last_deployed: str = ""
    deleted: str = ""
    notes: str = ""
    chart: Body = field(default_factory=dict)
    """Chart.yaml: `name`, `version`, `appVersion`, …"""
    defaults: Body = field(default_factory=dict)
    """Values of the chart itself; those of its subcharts are not stored."""
    config: Body = field(default_factory=dict)
    """Values given by the user."""
    manifest: str = ""
    hooks: Sequence[Body] = ()
    apply_method: str = ""
    """Helm 4: `ssa` or `csa`."""
    warnings: Sequence[str] = ()
    """Warnings of helm and the API server when this revision was made; not stored."""

    @property
    def texts(self) -> list[str]:
        """Every manifest: of the objects, and of the hooks."""
        return [self.manifest, *(str(hook.get("manifest") or "") for hook in self.hooks)]

    @property
    def chart_name(self) -> str:
        return str(self.chart.get("name") or "")

    @property
    def chart_version(self) -> str:
        return str(self.chart.get("version") or "")

    @property
    def app_version(self) -> str:
        return str(self.chart.get("appVersion") or "")

    def values(self) -> dict[str, Any]:
        """The values that the templates used: the given ones merged into the chart's."""
        # Helm stores what was given and what the chart brings, not the result.
        return values.merged(self.config, self.defaults)

    @classmethod
    def of(cls, body: Body) -> "Release":
        """From what is stored, or from what the binary prints with `-o json`."""
        info, chart = body.get("info") or {}, body.get("chart") or {}
        return cls(
            name=str(body.get("name", "")),
            namespace=str(body.get("namespace", "")),
            # Helm calls the number of a revision `version`.
            revision=int(body.get("version") or 0),
            status=str(info.get("status") or "unknown"),
            description=str(info.get("description") or ""),
            first_deployed=str(info.get("first_deployed") or ""),
            last_deployed=str(info.get("last_deployed") or ""),
            deleted=str(info.get("deleted") or ""),
            notes=str(info.get("notes") or ""),
            chart=chart.get("metadata") or {},
            defaults=chart.get("values") or {},
            config=body.get("config") or {},
            manifest=str(body.get("manifest") or ""),
            hooks=tuple(body.get("hooks") or ()),
            apply_method=str(body.get("apply_method") or ""),
        )
