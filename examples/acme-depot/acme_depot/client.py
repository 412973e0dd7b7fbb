"""The depot: a JSON file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acme_depot.settings import DepotSettings
from kmcp_runtime import Backend, Call, unavailable


class Depot(Backend):
    def __init__(self, file: str) -> None:
        self._file = file

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Depot: self}

    async def ready(self) -> None:
        self.read_shelves()

    def read_shelves(self) -> Mapping[str, int]:
        """Shelves with the number of their items; `unavailable` says what to set."""
        try:
            shelves: dict[str, int] = json.loads(Path(self._file).read_text())
        except (OSError, ValueError) as error:
            raise unavailable(f"cannot read the depot: {error}", "set KMCP_DEPOT_FILE to a JSON file") from None
        return shelves


def open_backend(settings: DepotSettings) -> Depot:
    return Depot(settings.depot_file)
