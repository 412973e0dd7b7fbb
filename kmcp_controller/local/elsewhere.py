"""RemoteMCPServers on a laptop: asked where they are, with the headers that they name. They have no process here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_controller import status
from kmcp_controller.discovery.mcp_client import DiscoveryError
from kmcp_controller.discovery.remote_addresses import parse_shown
from kmcp_controller.spec.remote import REMOTE, RemoteServer
from kmcp_runtime.catalog import Fault, InvalidDocumentError
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.foreign.servers_file import ForeignEntry

from .local_server import LocalServer
from .own_manifest import NAMESPACE

ELSEWHERE = "remote"
"""In place of the adapter of a server that does not run here."""
_ANY = "remote"


def is_elsewhere(body: Mapping[str, Any]) -> bool:
    return body.get("kind") == REMOTE


def parsed(body: Mapping[str, Any]) -> RemoteServer:
    """Errors: InvalidDocumentError."""
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise InvalidDocumentError([Fault(("metadata", "name"), "is required; name the server")])
    server = parse_shown({**body, "metadata": {"uid": "", **metadata, "namespace": namespace_of(body)}})
    if server.http.tls is not None:
        text = "is read in a cluster only; leave it out, or name the server in a file of KMCP_DOOR_SERVERS with caFile"
        raise InvalidDocumentError([Fault(("spec", "tls"), text)])
    return server


def namespace_of(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata")
    return str((metadata if isinstance(metadata, Mapping) else {}).get("namespace") or NAMESPACE)


def headers_of(server: RemoteServer, secrets: Path | None) -> dict[str, Any]:
    """What is sent to it, as the file of the door takes it. Errors: InvalidDocumentError with what is not there."""
    found: dict[str, Any] = {}
    for header in server.extensions.headers_from:
        source = header.value_from
        if source is None:
            found[header.name] = header.value or ""
            continue
        # `.name`: what is called ../x must not leave the folder.
        file = secrets / Path(source.name).name / Path(source.key).name if secrets else None
        if source.type != "Secret" or file is None or not file.is_file():
            where = f"{secrets or '<the folder of --secrets>'}/{source.name}/{source.key}"
            text = (
                f"{header.name}: {source.type} {source.name} is not on this machine; write a Secret's value to {where}"
            )
            raise InvalidDocumentError([Fault(("spec", "headersFrom"), text)])
        found[header.name] = {"file": str(file.absolute())}
    return found


@dataclass
class Elsewhere(LocalServer):
    """A RemoteMCPServer, and what was seen of it."""

    @classmethod
    def of(cls, body: Mapping[str, Any], secrets: Path | None) -> "Elsewhere":
        metadata = body.get("metadata")
        name = str((metadata if isinstance(metadata, Mapping) else {}).get("name", ""))
        found = cls(name, namespace_of(body), adapter=ELSEWHERE)
        try:
            spec = parsed(body)
            found.headers = headers_of(spec, secrets)
        except InvalidDocumentError as error:
            found.refused, found.unavailable = error, "not accepted"
            return found
        found.spec, found.url = spec, spec.url
        return found

    def update(self) -> None:
        if self.refused:
            self.merge(status.refused_remote(self.refused.faults))
        else:
            self.merge(status.remote_conditions(self.url, self.discovered, self.drift))

    def sent_headers(self) -> dict[str, str]:
        try:
            return ForeignEntry(name=_ANY, url=self.url, headers=self.headers).sent_headers()
        except ToolFailure as failure:
            raise DiscoveryError("AuthRequired", failure.message) from None
        except ValueError:
            raise DiscoveryError("AuthRequired", "a header of headersFrom cannot be sent") from None

    @property
    def is_settled(self) -> bool:
        return self.refused is not None or self.listing is not None or self.failures > 0
