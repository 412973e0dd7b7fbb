"""RemoteMCPServers as they may be asked: those whose address can be shown. In a cluster, and on a laptop."""

from collections.abc import Mapping
from typing import Any

from kmcp_controller.spec.remote import RemoteServer, parse_remote
from kmcp_runtime import redaction
from kmcp_runtime.catalog import Fault, InvalidDocumentError


def parse_shown(found: Mapping[str, Any]) -> RemoteServer:
    """Errors: InvalidDocumentError."""
    server = parse_remote(found)
    # The address stands in the catalog and in clients' files, which more people read than a Secret.
    if redaction.find_mark(redaction.text(server.url)):
        raise InvalidDocumentError([Fault(("spec", "url"), "holds what looks like a secret; put it into headersFrom")])
    return server
