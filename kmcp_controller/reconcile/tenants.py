"""Whether an MCPServer may have what it asks of the platform: its author was asked by the API server, or anybody may.

The API server records nobody's name in an object. What a ValidatingAdmissionPolicy has let pass its author may have;
of what is older than the policy nobody knows who wrote it, so it is held to what everybody may.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.spec import MCPServer, NotAllowedError
from kmcp_controller.spec.privileges import Allowed, judge_privileges
from kmcp_runtime.kube.failures import StatusFailure

# An API server learns of a new policy through a watch; what it let in meanwhile was not asked.
_UNTIL_IN_FORCE = timedelta(seconds=10)
_POLICY_SECONDS = 60.0


@dataclass(frozen=True)
class Tenancy:
    """How the platform holds MCPServers to their authors' rights."""

    policy: str = ""
    """Name of the ValidatingAdmissionPolicy and of its binding; empty: there is none."""
    trusted: frozenset[str] = frozenset()
    """Namespaces whose MCPServers are taken as they are."""
    allowed: Allowed = field(default_factory=Allowed)


class Tenants:
    """`clock` gives seconds that only grow."""

    def __init__(self, cluster: Cluster, tenancy: Tenancy | None, clock: Callable[[], float]) -> None:
        self._cluster, self._tenancy, self._clock = cluster, tenancy, clock
        self._looked = float("-inf")
        self._since: datetime | None = None

    async def check(self, source: Mapping[str, Any], server: MCPServer) -> None:
        """NotAllowedError with every place that asks for more than its author is known to have."""
        if self._tenancy is None or server.namespace in self._tenancy.trusted:
            return
        faults = judge_privileges(server, self._tenancy.allowed)
        if faults and not await self._author_was_asked(source, self._tenancy.policy):
            raise NotAllowedError(faults)

    async def _author_was_asked(self, source: Mapping[str, Any], policy: str) -> bool:
        if policy and self._clock() - self._looked > _POLICY_SECONDS:
            self._since, self._looked = await self._in_force_since(policy), self._clock()
        # Nobody can set the time of creation; those of managedFields anybody can.
        return self._since is not None and _created(source) > self._since

    async def _in_force_since(self, policy: str) -> datetime | None:
        try:
            found = [await self._cluster.read_admission_policy(kind, policy) for kind in ("policies", "policybindings")]
        except StatusFailure as failure:
            if failure.http_status not in (403, 404):
                raise
            return None
        if "Deny" not in (found[1].get("spec") or {}).get("validationActions", ()):
            return None
        return max(map(_created, found)) + _UNTIL_IN_FORCE


def _created(found: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(found["metadata"]["creationTimestamp"])
