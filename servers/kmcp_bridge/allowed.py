"""Which tools of the process are served: those that KMCP_TOOLS names, and with KMCP_READ_ONLY those that only read."""

from collections.abc import Iterable
from dataclasses import dataclass

from .answers import as_object
from .framing import Json


@dataclass(frozen=True)
class Allowed:
    """`names` None: all; empty: none. A tool only reads when the process says so of it."""

    names: frozenset[str] | None = None
    read_only: bool = False

    def refusal(self, name: str, tool: Json | None) -> str | None:
        """Why a tool is not served; `tool` as it was listed, None where it was not."""
        if self.names is not None and name not in self.names:
            served = f"allows only {', '.join(sorted(self.names))}" if self.names else "allows no tool"
            return f"tool {name!r} is not served: KMCP_TOOLS {served}"
        if self.read_only and as_object(as_object(tool).get("annotations")).get("readOnlyHint") is not True:
            return f"tool {name!r} is not served: KMCP_READ_ONLY leaves only tools with readOnlyHint"
        return None

    def of(self, tools: Iterable[Json]) -> list[Json]:
        return [tool for tool in tools if self.refusal(tool["name"], tool) is None]

    def absent(self, tools: Iterable[Json]) -> list[str]:
        """Names that no tool has."""
        return sorted((self.names or frozenset()) - {tool["name"] for tool in tools})
