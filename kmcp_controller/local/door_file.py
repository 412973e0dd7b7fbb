"""The file from which the composed server of `up` learns of the foreign ones on this machine."""

from collections.abc import Callable, Container, Iterable
from pathlib import Path

from kmcp_controller.catalog.door_servers import EMPTY, DoorServers, Found
from kmcp_controller.catalog.live_server import live_tools
from kmcp_controller.discovery.pins import vouched
from kmcp_controller.status import Listing
from kmcp_runtime.foreign.servers_file import FileError, read_servers

from .elsewhere import ELSEWHERE
from .local_server import LocalServer

_FOREIGN = ("bridge", ELSEWHERE)
"""The adapters of servers that are not the suite's."""


class DoorFile:
    """Whole or not at all at each moment: the door reads it again whenever it changes."""

    def __init__(self, folder: Path, own: Container[str], report: Callable[[str], None]) -> None:
        """`own`: names of the composed server's own; `report` is told what cannot be behind the door."""
        self.path = folder / "door-servers.json"
        self._own, self._report = own, report
        self._servers = DoorServers()
        self._written = self._fault = ""
        self._told: set[str] = set()
        self._write(EMPTY)

    @property
    def is_behind(self) -> bool:
        """Whether the last document could not be written, so that it is to be shown again."""
        return bool(self._fault)

    def show(self, servers: Iterable[LocalServer]) -> None:
        """Those foreign ones that have listed their tools; one that is away now stays, and its calls say so."""
        found = [_found(each, each.listing) for each in servers if each.adapter in _FOREIGN and each.listing]
        text = self._servers.document(found, self._own)
        if text != self._written:
            self._write(text)
        for name in set(self._servers.left_out) - self._told:
            self._report(f"{name} is not behind the door: too many servers or tools, or an address it cannot hold")
        self._told = set(self._servers.left_out)

    def _write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        try:
            fresh.write_text(text, encoding="utf-8")
            read_servers(fresh)
            fresh.replace(self.path)
        except FileError as error:
            # The composed server does not start with such a file, and it has all of the suite's own tools.
            self._report(f"the door keeps the foreign servers that it has: {error}")
        except OSError as error:
            # A full disk must not end what runs; `_written` stays, so that it is tried again.
            fault = f"the door keeps the foreign servers that it has: {fresh} cannot be written ({error.strerror})"
            if fault != self._fault:
                self._report(fault)
            self._fault = fault
            return
        self._written, self._fault = text, ""


def _found(server: LocalServer, listing: Listing) -> Found:
    pinned = vouched(server.reference, listing)
    return Found(server.namespace, server.name, server.url, live_tools(listing.tools, None), pinned, server.headers)
