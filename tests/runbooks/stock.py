"""The suite's own runbooks, and the servers whose tools they name."""

from importlib.metadata import entry_points
from typing import cast

from kmcp_runtime import Server
from kmcp_runtime.distributions import SERVERS, is_own
from kmcp_runtime.runbooks.reading import Runbook, runbooks_of

OWN = {
    server.name: server
    for server in (cast("Server", point.load()) for point in entry_points(group=SERVERS) if is_own(point))
}
RUNBOOKS: dict[str, Runbook] = {runbook.name: runbook for runbook in runbooks_of(OWN.values())}
