"""What a pass and its listener exchange. The listener is discovery: a pass knows of it only what is here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_controller import status
from kmcp_controller.cluster.events import Notice
from kmcp_controller.cluster.store import Key
from kmcp_controller.spec import MCPServer
from kmcp_runtime.catalog import Drift, ServerEntry

Object = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a listener learns of a server at the end of each pass."""

    server: MCPServer
    source: Object  # the MCPServer as it is in the cluster
    entry: ServerEntry | None
    adapter: str
    image: str
    ready: status.Condition
    template: str  # changes with the pods


@dataclass(frozen=True)
class Findings:
    """What a listener knows of a server's tools; `fields` are those of the status."""

    discovery: status.Discovery
    drift: Drift | None = None
    blocked: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    requeue_after: float | None = None
    """Seconds after which the listener wants another pass."""


OnObserved = Callable[[Key, Seen | None], Findings | None]
"""Gets None for a server that is gone."""
OnReported = Callable[[Key, list[Object]], None]
"""Gets the conditions that a server's status now has."""


def ignore(*_: Any) -> None:
    """The listener of a controller without discovery."""
