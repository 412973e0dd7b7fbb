"""The first step of a pass: the manifest as a model, and what its pods read."""

from collections.abc import Mapping
from typing import Any

from kmcp_controller.cluster.store import Key
from kmcp_controller.spec import MCPServer, Platform, parse

from .secret_references import Reference, wanted


class Acceptance:
    """Parses once for each state of spec and annotations: most passes are about the objects."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[Key, tuple[Any, MCPServer, list[Reference]]] = {}

    def accept(self, key: Key, source: Mapping[str, Any]) -> tuple[MCPServer, list[Reference]]:
        """RefusedError for a manifest with faults."""
        metadata = source["metadata"]
        # Annotations do not raise the generation, and ours are part of what a manifest means.
        state = (metadata["uid"], metadata.get("generation"), dict(metadata.get("annotations") or {}))
        known = self._known.get(key)
        if known is None or known[0] != state:
            server = parse(source, self._platform)
            known = self._known[key] = (state, server, wanted(server, self._platform))
        return known[1], known[2]

    def readers(self, namespace: str, secret: str) -> list[Key]:
        """The servers that refer to a Secret."""
        return [
            key
            for key, (_, _, references) in self._known.items()
            if key[0] == namespace and any((each.kind, each.name) == ("Secret", secret) for each in references)
        ]

    def forget(self, key: Key) -> None:
        self._known.pop(key, None)
