"""The file from which the composed server of `up` learns of the foreign ones on this machine."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kmcp_controller.catalog.door_servers import EMPTY, DoorServers, Found
from kmcp_controller.catalog.live_server import live_tools

if TYPE_CHECKING:
    from .suite import LocalServer

_FOREIGN = "bridge"
"""The adapter of a server that the suite does not run itself."""


class DoorFile:
    """Whole or not at all at each moment: the door reads it again whenever it changes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "door-servers.json"
        self._servers = DoorServers()
        self._written = ""
        self._write(EMPTY)

    def show(self, servers: Iterable["LocalServer"]) -> None:
        """Those foreign ones that have listed their tools; one that is away now stays, and its calls say so."""
        found = [
            Found(each.namespace, each.name, each.url, live_tools(each.listing.tools, None))
            for each in servers
            if each.adapter == _FOREIGN and each.listing
        ]
        text = self._servers.document(found)
        if text != self._written:
            self._write(text)

    def _write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.path)
        self._written = text
