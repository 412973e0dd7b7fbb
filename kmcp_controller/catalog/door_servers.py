"""The file from which a door learns of foreign servers (`KMCP_DOOR_SERVERS`), made of what was discovered. Pure.

Whatever a server says of itself, the door can read the file: one of them must not cost the others, nor the suite's own.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kmcp_runtime.foreign.servers_file import LARGEST_BYTES, MOST_SERVERS, ForeignEntry
from kmcp_runtime.yaml_text import MOST_NODES

from .live_server import is_a_name

CONFIG_MAP, KEY = "kmcp-door-servers", "servers.json"
EMPTY = '{"servers": []}'
_NODES_AROUND = 4  # of the document itself
_LONGEST_NAME, _DIGITS = 48, 6
# What JSON may hold as it is and YAML may not; its escapes are the same in both. Pairs of surrogates, which JSON makes
# of other signs when it escapes, are none of YAML's: so nothing else is escaped.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Found:
    """A server that has listed its tools, as the live catalog has them."""

    namespace: str
    name: str
    url: str
    tools: Iterable[Mapping[str, Any]]
    vouched: Mapping[str, str]
    """What a call does, by the tool's name, where a person has pinned it; a server's own hints vouch for nothing."""
    headers: Mapping[str, Any] = field(default_factory=dict)
    """What is sent to it, as the file takes it; values of Secrets by the file that holds them."""


class DoorServers:
    """Makes the file's text."""

    def __init__(self, largest: int = LARGEST_BYTES) -> None:
        """`largest`: bytes of the text; servers that do not fit are left out, the last ones first."""
        self._largest = min(largest, LARGEST_BYTES)
        self.left_out: tuple[str, ...] = ()
        """The servers, as `namespace/name`, that the last document had no room for, or whose address it cannot hold."""

    def document(self, servers: Iterable[Found], taken: Container[str] = ()) -> str:
        """The file's text, which the door can read. `taken`: names of the door's own servers.

        A name that is taken, or that two namespaces have, gets the namespace before it.
        """
        found = sorted(servers, key=lambda server: (server.namespace, server.name))
        count = Counter(server.name for server in found)
        entries: dict[str, dict[str, Any]] = {}
        left_out: list[str] = []
        size, nodes = len(EMPTY), _NODES_AROUND
        for server in found:
            names = _names(server, alone=count[server.name] == 1)
            name = next(each for each in names if each not in entries and each not in taken)
            entry: dict[str, Any] = {"name": name, "url": server.url, "tools": _pins(server)}
            entry |= {"headers": dict(server.headers)} if server.headers else {}
            more, values = len(_text([entry]).encode()), _nodes(entry)
            fits = size + more <= self._largest and nodes + values <= MOST_NODES and len(entries) < MOST_SERVERS
            if not fits or not _is_sound(entry):
                left_out.append(f"{server.namespace}/{server.name}")
                continue
            entries[name], size, nodes = entry, size + more, nodes + values
        self.left_out = tuple(left_out)
        return _text([*entries.values()])


def _pins(server: Found) -> dict[str, dict[str, str]]:
    return {
        tool["name"]: {"hash": tool["hash"], "effect": server.vouched[tool["name"]]}
        for tool in server.tools
        if is_a_name(tool["name"]) and tool["name"] in server.vouched
    }


def _names(server: Found, *, alone: bool) -> Iterator[str]:
    """What it may be called, the best first; the last ones are for names that are too long, or made to be another's."""
    long = f"{server.namespace}-{server.name}"
    yield from (name for name in ([server.name] if alone else []) + [long] if len(name) <= _LONGEST_NAME)
    number = 0
    while True:
        said = f"{server.namespace}/{server.name}/{number}"
        digits = hashlib.sha256(said.encode(errors="replace")).hexdigest()[:_DIGITS]
        yield f"{long[: _LONGEST_NAME - _DIGITS - 1].rstrip('-')}-{digits}"
        number += 1


def _is_sound(entry: Mapping[str, Any]) -> bool:
    try:
        ForeignEntry(name=entry["name"], url=entry["url"], headers=entry.get("headers", {}))
    except ValidationError:
        return False
    return True


def _nodes(value: Any) -> int:
    """Keys and values, as the reader of YAML counts them."""
    return 1 + sum(1 + _nodes(each) for each in value.values()) if isinstance(value, dict) else 1


def _text(entries: list[dict[str, Any]]) -> str:
    text = json.dumps({"servers": entries}, indent=1, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
