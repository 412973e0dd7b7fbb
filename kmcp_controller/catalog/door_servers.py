"""The file from which a door learns of foreign servers (`KMCP_DOOR_SERVERS`), made of what was discovered. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_runtime.catalog import Effect, effect_of, strongest

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
EMPTY = '{"servers": []}'


class DoorServers:
    """Keeps what each tool was like when it was first seen: what it becomes later is not what was looked at."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, dict[str, str]]] = {}

    def document(self, servers: Iterable[tuple[str, str, Iterable[Mapping[str, Any]]]]) -> str:
        """The file's text; of each server the name, the URL and the tools as the live catalog has them."""
        entries = [
            {"name": name, "url": url, "tools": self._pins(name, tools)}
            for name, url, tools in servers
            if _NAME.fullmatch(name)
        ]
        return json.dumps({"servers": sorted(entries, key=lambda entry: str(entry["name"]))}, indent=1)

    def _pins(self, server: str, tools: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        seen = self._seen.setdefault(server, {})
        for tool in tools:
            seen.setdefault(tool["name"], {"hash": tool["hash"], "effect": _effect(tool).value})
        return dict(seen)


def _effect(tool: Mapping[str, Any]) -> Effect:
    """What its hints say; what a server says beside them can only make it graver."""
    return strongest([effect_of(tool["annotations"]), Effect(tool["effect"])])
