"""One server of the suite on this machine, and what was seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kmcp_controller import status
from kmcp_controller.catalog.live_server import LiveServer
from kmcp_controller.discovery.pins import Reference, pin_mode, vouched
from kmcp_controller.spec import MCPServer
from kmcp_runtime.catalog import Drift, InvalidDocumentError, ServerEntry

from .child import Child

_RUN_HERE = ("Deployment", "Service", "ConfigMap")


@dataclass
class LocalServer:
    """One MCPServer on this machine, and what was seen of it."""

    name: str
    namespace: str
    spec: MCPServer | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    adapter: str = "none"
    entry_name: str | None = None
    entry: ServerEntry | None = None
    url: str = ""
    management: str = ""
    child: Child | None = None
    unavailable: str = ""
    refused: InvalidDocumentError | None = None
    missing: list[tuple[str, str]] = field(default_factory=list)
    rollout: status.Rollout = field(default_factory=status.Rollout)
    discovered: status.Discovery = field(default_factory=lambda: status.Discovery("Pending", "not asked yet"))
    listing: status.Listing | None = None
    drift: Drift | None = None
    failures: int = 0
    asked: tuple[int | None, float] = (None, 0.0)  # pid and time of the last discovery
    conditions: list[dict[str, Any]] = field(default_factory=list)
    reference: Reference | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)  # of one elsewhere, as the door's file takes them

    def update(self) -> None:
        """Conditions from what was seen."""
        extensions = f"; extensions {self.spec.extensions_hash}" if self.spec and self.spec.extensions_hash else ""
        ignored = ", ".join(each["kind"] for each in self.objects if each["kind"] not in _RUN_HERE)
        observed = status.Observed(
            accepted=f"accepted{extensions}",
            programmed=f"runs on this machine; ignored here: {ignored or 'nothing'}",
            faults=self.refused.faults if self.refused else (),
            fault_reason=getattr(self.refused, "reason", ""),
            missing=self.missing,
            rollout=self.rollout,
            discovery=self.discovered,
            drift=self.drift,
        )
        self.merge(status.conditions(observed))

    def merge(self, conditions: list[status.Condition]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        generation = self.spec.generation if self.spec else 0
        self.conditions = status.merge(self.conditions, conditions, generation, now)

    def live(self) -> LiveServer:
        spec = self.spec
        return LiveServer(
            namespace=self.namespace,
            name=self.name,
            url=self.url,
            transport=spec.transport if spec else "",
            image=spec.deployment.image if spec else "",
            conditions=self.conditions,
            adapter=self.adapter,
            entry_name=self.entry_name,
            entry=self.entry,
            listing=self.listing,
            stale=self.listing is not None and self.discovered.reason != "Discovered",
            pin=pin_mode(spec, self.reference) if spec else "off",
            drift=self.drift,
            vouched=vouched(self.reference, self.listing),
        )

    def sent_headers(self) -> dict[str, str]:
        """What it is asked with. Errors: DiscoveryError."""
        return {}

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be awaited: its tools are known, or it cannot run."""
        return self.child is None or self.listing is not None
