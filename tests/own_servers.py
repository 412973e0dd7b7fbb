"""The servers of the suite itself, and none that is installed beside it."""

from importlib.metadata import entry_points
from typing import cast

from kmcp_runtime import Server
from kmcp_runtime.distributions import SERVERS, is_own

OWN = {
    server.name: server
    for server in (cast("Server", point.load()) for point in entry_points(group=SERVERS) if is_own(point))
}
