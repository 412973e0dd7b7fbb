"""Asking a server of the cluster for its tools, with the headers and certificates that its manifest names.

Their values come from Secrets and ConfigMaps at each call, and go nowhere but into the request.
"""

import base64
import re
import ssl
import uuid
from collections.abc import Mapping
from pathlib import Path

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.spec import MCPServer, Platform, adapter_of, is_suite_image
from kmcp_controller.spec.model import Header
from kmcp_controller.status.conditions import Listing
from kmcp_runtime import private_files
from kmcp_runtime.kube.failures import StatusFailure

from .mcp_client import DiscoveryError, fetch_listing

# RFC 9110, 5.5: visible characters, spaces and obs-text.
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")


async def ask_server(cluster: Cluster, server: MCPServer, url: str, platform: Platform) -> Listing:
    """`url` may be the address of one pod: the server is called by the name of its Service all the same."""
    headers = {each.name: await _read_header(cluster, server, each) for each in server.extensions.headers_from}
    signed = "authorization" in map(str.lower, headers)
    if platform.discovery_token and not signed and _reviews_tokens(server, platform):
        headers["Authorization"] = f"Bearer {_read_token(platform.discovery_token)}"
    verify = await _read_certificates(cluster, server)
    host = "" if url == server.url else f"{server.host}:{server.port}"
    return await fetch_listing(url, headers, server.timeout, verify, host=host)


def _reviews_tokens(server: MCPServer, platform: Platform) -> bool:
    """A server of the suite itself. Whoever made the MCPServer may still have put another program into the image, so
    what this token opens must be no more than the list of tools."""
    deployment = server.deployment
    adapter = adapter_of(server.transport, deployment, server.extensions.stdio_adapter, platform)
    return adapter == "none" and is_suite_image(deployment.image, platform)


def _read_token(file: str) -> str:
    """The kubelet writes a new token into the file before the old one ends, so it is read each time."""
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        text = f"the controller's own token cannot be read from {file}: {error}"
        raise DiscoveryError("AuthRequired", text) from error


async def _read_header(cluster: Cluster, server: MCPServer, header: Header) -> str:
    if header.value_from is None:
        return header.value or ""
    source = header.value_from
    values = await _read_values(cluster, source.type, server.namespace, source.name)
    where = f"header {header.name}: key {source.key} of {source.type} {source.name}"
    if source.key not in values:
        raise DiscoveryError("AuthRequired", f"{where} does not exist; create it")
    value = values[source.key].decode("latin-1").strip()  # files that became Secrets end in a line break
    if not _VALUE.fullmatch(value):
        raise DiscoveryError("AuthRequired", f"{where} contains characters that are not allowed in a header")
    return value


async def _read_certificates(cluster: Cluster, server: MCPServer) -> ssl.SSLContext | bool:
    tls = server.http.tls if server.transport == "http" else None
    if tls is None:
        return True
    given = await _read_values(cluster, "Secret", server.namespace, tls.secret_ref) if tls.secret_ref else {}
    authority = given.get("ca.crt")
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if tls.insecure_skip_verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if "tls.crt" in given and "tls.key" in given:
            _load_client_certificate(context, given)
    except (ssl.SSLError, ValueError) as error:
        text = f"the certificates of Secret {tls.secret_ref} cannot be used: {type(error).__name__}"
        raise DiscoveryError("AuthRequired", text) from error
    return context


def _load_client_certificate(context: ssl.SSLContext, given: Mapping[str, bytes]) -> None:
    """Python's ssl takes a client certificate from files only (`load_cert_chain`), so for a moment it is in two."""
    name = uuid.uuid4().hex
    files = [private_files.folder() / f"{name}-{kind}" for kind in ("tls.crt", "tls.key")]
    try:
        for file, kind in zip(files, ("tls.crt", "tls.key"), strict=True):
            private_files.write(file, given[kind].decode())
        context.load_cert_chain(*map(str, files))
    finally:
        for file in files:
            file.unlink(missing_ok=True)


async def _read_values(cluster: Cluster, kind: str, namespace: str, name: str) -> dict[str, bytes]:
    try:
        found = await cluster.read(kind, namespace, name) or {}
    except StatusFailure as failure:
        if failure.http_status != 403:
            raise
        raise DiscoveryError(
            "AuthRequired", f"the controller may not read {kind} {name}; grant it, or remove the reference"
        ) from failure
    data, binary = found.get("data") or {}, found.get("binaryData") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    return {key: value.encode() for key, value in data.items()} | {k: base64.b64decode(v) for k, v in binary.items()}
