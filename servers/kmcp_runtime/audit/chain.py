"""Lines that are chained: each names its number, and the hash of the line before it.

The hash is over the bytes of the line as they stand in the file, up to its own last field, so that it can be checked
without understanding the line. With a key it is an HMAC, which only who has the key can make.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MARK = b'{"log":"audit",'
"""How each line begins."""
LONGEST = 8 * 1024
"""Bytes of a line: below what container runtimes split (16 KiB), so that a line stays one."""
LINK_BYTES = 400
"""At most of these are the fields that chain a line."""
GENESIS = "0" * 64
PLAIN, KEYED = "sha256", "hmac-sha256"
_END = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
_END_BYTES = len(b',"hash":""}') + 64
# The last fields of a line, as `Chain.seal` writes them.
_LINKS = re.compile(
    rb',"chain":"([0-9a-z]{1,64})","seq":([0-9]{1,18}),"alg":"([a-z0-9-]{1,20})","prev":"([0-9a-f]{64})"$'
)


@dataclass(frozen=True)
class Link:
    """Where a line stands in its chain, as it says itself."""

    chain: str
    seq: int
    algorithm: str
    previous: str
    hash: str
    content: bytes
    """What the hash is over."""

    def fits(self, key: bytes | None) -> bool:
        """Whether the hash is that of the content."""
        return hmac.compare_digest(digest(self.content, key if self.algorithm == KEYED else None), self.hash)


@dataclass
class Chain:
    """The end of a chain, to which lines are added."""

    name: str = field(default_factory=lambda: secrets.token_hex(6))
    key: bytes | None = None
    seq: int = 0
    head: str = GENESIS

    @property
    def place(self) -> tuple[str, int, str]:
        """Its name, and number and hash of its last line."""
        return self.name, self.seq, self.head

    def seal(self, record: Mapping[str, Any]) -> "Sealed":
        """The next line, of a record that says what happened; the chain grows by `add` once the line is written."""
        text = compact(record)
        algorithm = KEYED if self.key else PLAIN
        link = f',"chain":"{self.name}","seq":{self.seq + 1},"alg":"{algorithm}","prev":"{self.head}"'
        content = (text[:-1] + link).encode("ascii")
        hashed = digest(content, self.key)
        return Sealed(content + b',"hash":"' + hashed.encode() + b'"}\n', self.seq + 1, hashed)

    def add(self, sealed: "Sealed") -> None:
        self.seq, self.head = sealed.seq, sealed.hash


@dataclass(frozen=True)
class Sealed:
    """A line that stands in a chain, with its end."""

    line: bytes
    seq: int
    hash: str


def digest(content: bytes, key: bytes | None) -> str:
    return hmac.digest(key, content, "sha256").hex() if key else hashlib.sha256(content).hexdigest()


def compact(record: Mapping[str, Any]) -> str:
    """JSON in one line of ASCII: whatever a name holds, it can neither end the line nor reach a terminal."""
    return json.dumps({"log": "audit", **record}, separators=(",", ":"), ensure_ascii=True)


def read_link(line: bytes) -> Link | None:
    """The place of a line (without its end) in its chain; None for what is not a whole line of ours."""
    end = _END.fullmatch(line, max(0, len(line) - _END_BYTES))
    if end is None:
        return None
    content = line[: end.start()]
    links = _LINKS.search(content, max(0, len(content) - 300))
    if links is None:
        return None
    chain, seq, algorithm, previous = (each.decode("ascii") for each in links.groups())
    return Link(chain, int(seq), algorithm, previous, end[1].decode("ascii"), content)
