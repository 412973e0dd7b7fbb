"""The file from which a door learns of foreign servers (`KMCP_DOOR_SERVERS`), made of what was discovered. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.catalog import Effect, effect_of, strongest

CONFIG_MAP, KEY = "kmcp-door-servers", "servers.json"
EMPTY = '{"servers": []}'
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")


@dataclass(frozen=True)
class Found:
    """A server that has listed its tools, as the live catalog has them."""

    namespace: str
    name: str
    url: str
    tools: Iterable[Mapping[str, Any]]


class DoorServers:
    """Keeps what each tool was like when it was first seen: what it becomes later is not what was looked at."""

    def __init__(self, largest: int | None = None) -> None:
        """`largest`: characters of the text; servers that do not fit are left out, the last ones first."""
        self._largest = largest
        self._seen: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

    def document(self, servers: Iterable[Found]) -> str:
        """The file's text. A name that two namespaces have gets the namespace before it."""
        found = sorted(servers, key=lambda server: (server.namespace, server.name))
        count = Counter(server.name for server in found)
        entries: list[dict[str, Any]] = []
        for server in found:
            name = server.name if count[server.name] == 1 else f"{server.namespace}-{server.name}"
            if _NAME.fullmatch(name):
                entries.append({"name": name, "url": server.url, "tools": self._pins(server)})
        while self._largest is not None and entries and len(_text(entries)) > self._largest:
            entries.pop()
        return _text(entries)

    def _pins(self, server: Found) -> dict[str, dict[str, str]]:
        seen = self._seen.setdefault((server.namespace, server.name), {})
        for tool in server.tools:
            seen.setdefault(tool["name"], {"hash": tool["hash"], "effect": _effect(tool).value})
        return dict(seen)


def _text(entries: list[dict[str, Any]]) -> str:
    return json.dumps({"servers": entries}, indent=1)


def _effect(tool: Mapping[str, Any]) -> Effect:
    """What its hints say; what a server says beside them can only make it graver."""
    return strongest([effect_of(tool["annotations"]), Effect(tool["effect"])])
