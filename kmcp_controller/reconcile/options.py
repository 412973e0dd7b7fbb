"""How a controller reconciles; its settings in a cluster are `program.settings`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kmcp_controller.spec import Platform
from kmcp_runtime.catalog import ServerEntry

from .tenants import Tenancy


@dataclass(frozen=True)
class Options:
    """Times are in seconds."""

    platform: Platform = field(default_factory=Platform)
    entries: Mapping[str, ServerEntry] = field(default_factory=dict)  # of the shipped catalog
    former_managers: Sequence[str] = ("manager",)  # field managers of earlier controllers
    secrets: Literal["get", "watch", "none"] = "get"
    max_rollouts: int = 10
    tenancy: Tenancy | None = None  # None: an MCPServer may have all that can be made
    resync_seconds: float = 600.0
    references_seconds: float = 45.0
    unready_seconds: tuple[float, float] = (5.0, 30.0)  # the first look at pods, and the slowest
