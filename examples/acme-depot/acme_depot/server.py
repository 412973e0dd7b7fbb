"""The server object behind the entry point `depot`."""

import sys

from acme_depot.settings import DepotSettings
from kmcp_runtime import Server

SERVER = Server(
    package=__package__,
    name="depot",
    title="Depot",
    description="Look into the depot.",
    instructions="depot_count_items answers how many items a shelf holds.",
    port=8092,
    settings=DepotSettings,
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
