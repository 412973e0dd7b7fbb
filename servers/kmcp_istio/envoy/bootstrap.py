"""The bootstrap: what a proxy was started with."""

from typing import Any

from pydantic import BaseModel

from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import at, number, text


class Bootstrap(BaseModel):
    """Which proxy it is, and its versions."""

    node: str
    istio_version: str | None = None
    envoy_version: str | None = None
    cluster_id: str | None = None
    discovery: str | None = None


def entries(section: Section) -> list[Entry]:
    found = at(section, "bootstrap")
    if found is None:
        return []
    metadata = at(found, "node", "metadata")
    row = Bootstrap(
        node=text(found, "node", "id"),
        istio_version=text(metadata, "ISTIO_VERSION") or None,
        envoy_version=_version(at(found, "node", "user_agent_build_version")),
        cluster_id=text(metadata, "CLUSTER_ID") or None,
        # Istio's agent puts these into the node metadata; Envoy itself does not know them.
        discovery=text(metadata, "PROXY_CONFIG", "discoveryAddress") or None,
    )
    return [Entry(row.node, row, found)]


def _version(build: Any) -> str | None:
    """The build as Envoy prints it: `1.39.0/Clean/RELEASE/BoringSSL`."""
    if build is None:
        return None
    version = at(build, "version")
    numbers = ".".join(str(number(version, part)) for part in ("major_number", "minor_number", "patch"))
    label = text(build, "metadata", "build.label")
    rest = [text(build, "metadata", key) for key in ("revision.status", "build.type", "ssl.version")]
    return "/".join([f"{numbers}-{label}" if label else numbers, *(part for part in rest if part)])
