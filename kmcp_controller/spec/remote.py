"""A RemoteMCPServer that somebody has written, as a server to ask: an address elsewhere instead of pods. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, ValidationError

from kmcp_runtime import durations, urls
from kmcp_runtime.catalog import Fault, InvalidDocumentError, faults_of

from .model import OURS, TLS, Deployment, Extensions, Header, HttpTransport, MCPServer, Model

REMOTE = "RemoteMCPServer"
_PIN = OURS + "pin"
_LONGEST_SECONDS = 600.0
_PORTS = {"http": 80, "https": 443}
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class RemoteSpec(Model):
    """What is used of it; the API server has checked the rest, which newer versions add to."""

    model_config = ConfigDict(extra="ignore")

    protocol: Literal["STREAMABLE_HTTP", "SSE"] = "STREAMABLE_HTTP"
    url: str
    headers_from: tuple[Header, ...] = ()
    timeout: str = "30s"
    tls: TLS | None = None


@dataclass(frozen=True)
class RemoteServer(MCPServer):
    """One at `address`; it has no pods."""

    address: str = ""

    @property
    def url(self) -> str:
        return self.address

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.address)
        return parts.port or _PORTS[parts.scheme]


def parse_remote(found: Mapping[str, Any]) -> RemoteServer:
    """The model of a RemoteMCPServer of kagent. Errors: InvalidDocumentError with what cannot be asked."""
    metadata = found["metadata"]
    try:
        spec = RemoteSpec.model_validate(found.get("spec") or {})
    except ValidationError as error:
        raise InvalidDocumentError(faults_of(error, RemoteSpec, ("spec",))) from error
    if spec.protocol != "STREAMABLE_HTTP":
        raise _refused("protocol", f"is {spec.protocol}; only servers of STREAMABLE_HTTP are asked for their tools")
    pinned = {key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(OURS)}
    if pinned.get(_PIN) == "block":  # there are no pods to hold back
        pinned[_PIN] = "warn"
    return RemoteServer(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        annotations=pinned,
        transport="http",
        timeout=_seconds(spec.timeout),
        timeout_text=spec.timeout,
        http=HttpTransport(tls=spec.tls),
        deployment=Deployment(),
        extensions=Extensions(headers_from=spec.headers_from),
        extensions_hash=None,
        address=_address(spec.url),
    )


def _address(url: str) -> str:
    try:
        parts = urls.split(url, _PORTS)
    except ValueError as error:
        raise _refused("url", f"is not an address: {error}; write https://HOST/mcp") from None
    # kagent's client, which is Go's, would refuse the whole address.
    if _BROKEN_ESCAPE.search(f"{parts.path}#{parts.fragment}"):
        raise _refused("url", "has a % without two hexadecimal digits behind it; write %25 for the sign itself")
    if parts.username or parts.password:
        raise _refused("url", "contains credentials; put them into headersFrom")
    return url


def _seconds(text: str) -> float:
    try:
        return min(durations.parse_go(text), _LONGEST_SECONDS)
    except ValueError as error:
        raise _refused("timeout", str(error)) from error


def _refused(field: str, text: str) -> InvalidDocumentError:
    return InvalidDocumentError([Fault(("spec", field), text)])
