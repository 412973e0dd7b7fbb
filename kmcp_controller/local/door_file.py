"""The file from which the composed server of `up` learns of the foreign ones on this machine."""

from collections.abc import Iterable
from pathlib import Path

from kmcp_controller.catalog.door_servers import EMPTY, DoorServers, Found


class DoorFile:
    """Whole or not at all at each moment: the door reads it again whenever it changes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "door-servers.json"
        self._servers = DoorServers()
        self._written = ""
        self._write(EMPTY)

    def show(self, servers: Iterable[Found]) -> None:
        """Those that have listed their tools; one that is away now stays, and its calls say so."""
        text = self._servers.document(servers)
        if text != self._written:
            self._write(text)

    def _write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.path)
        self._written = text
