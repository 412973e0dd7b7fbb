"""The output of a process as messages: one a line, however much, however broken, and never more than is allowed.

A message that cannot be used is reported with the id that it names, so that only its own request fails.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from kmcp_runtime import json_text

Json = dict[str, Any]

_CHUNK = 64 * 1024
# Of a message that is too long, enough of both ends to find its id: SDKs write it either first or last.
_EDGE = 4096
_ID = rb'"id"[ \t]*:[ \t]*"?(\d{1,18})"?'
_VERSION = rb'"jsonrpc"[ \t]*:[ \t]*"2\.0"'
_FIRST = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb"\s*,\s*)?" + _ID + rb"\s*[,}]")
# What closes the line closes the message itself, so these keys are its own and not those of something inside it.
_LAST = re.compile(rb",\s*" + _ID + rb"\s*(?:,\s*" + _VERSION + rb"\s*)?\}\s*$")


class Stream(Protocol):
    async def read(self, n: int) -> bytes: ...


@dataclass(frozen=True)
class Broken:
    """An answer that cannot be used: `number` is the id of its request, `reason` a clause that says what is wrong."""

    number: int
    reason: str


@dataclass(frozen=True)
class Noise:
    """A line that belongs to no message, for the log."""

    line: bytes


def encode(message: Any) -> bytes:
    """One line of JSON, always valid: a number that JSON does not have becomes null, as in JavaScript."""
    try:
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(message), separators=(",", ":"), allow_nan=False)
    return text.encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    # Without a table of names: NaN differs from itself, and infinities minus themselves are NaN.
    return None if isinstance(value, float) and value - value != 0 else value


async def read_messages(stream: Stream, largest: int) -> AsyncIterator[Json | Broken | Noise]:
    """Until the end of the stream. A message has at most `largest` bytes."""
    assembled = _Assembly(largest)
    async for line, whole in _read_lines(stream, largest):
        for each in assembled.take(line) if whole else assembled.too_long(line):
            yield each
    for each in assembled.drop():
        yield each


async def _read_lines(stream: Stream, largest: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Each line and whether it is whole; of one that is longer than allowed, the two ends of it."""
    head, tail, long = bytearray(), b"", False
    while chunk := await stream.read(_CHUNK):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            long, tail = _extend(head, tail, part, long, largest)
            yield (bytes(head) + tail, not long)
            head, tail, long = bytearray(), b"", False
        long, tail = _extend(head, tail, rest, long, largest)
    if head:
        yield (bytes(head) + tail, not long)


def _extend(head: bytearray, tail: bytes, part: bytes, long: bool, largest: int) -> tuple[bool, bytes]:
    if not long and len(head) + len(part) <= largest:
        head += part
        return False, b""
    if not long:
        tail = bytes(head[-_EDGE:])
        del head[_EDGE:]
    return True, (tail + part)[-_EDGE:]


class _Assembly:
    """Lines become messages. Some servers print one over several lines, which is taken although it is not allowed."""

    def __init__(self, largest: int) -> None:
        self._largest, self._lines, self._size = largest, list[bytes](), 0

    def take(self, line: bytes) -> list[Json | Broken | Noise]:
        bare = line.rstrip()
        if self._lines and not bare.startswith((b'{"', b"[{")):
            return self._continue(line, bare)
        dropped = self.drop()
        if bare in (b"{", b"["):
            self._lines, self._size = [line], len(line)
            return dropped
        return dropped + _parse(line)

    def _continue(self, line: bytes, bare: bytes) -> list[Json | Broken | Noise]:
        self._lines.append(line)
        self._size += len(line)
        if self._size > self._largest:
            lines, self._lines = self._lines, []
            return _too_long(b"".join(lines)[:_EDGE], self._largest)
        # Every printer of JSON puts the last bracket alone and unindented.
        if bare not in (b"}", b"]"):
            return []
        lines, self._lines = self._lines, []
        return _parse(b"\n".join(lines))

    def too_long(self, edges: bytes) -> list[Json | Broken | Noise]:
        return self.drop() + _too_long(edges, self._largest)

    def drop(self) -> list[Json | Broken | Noise]:
        lines, self._lines = self._lines, []
        return [Noise(each) for each in lines]


def _too_long(edges: bytes, largest: int) -> list[Json | Broken | Noise]:
    reason = f"its answer is longer than {largest} bytes (KMCP_BRIDGE_LARGEST_ANSWER)"
    return [_broken(edges, reason)]


def _parse(line: bytes) -> list[Json | Broken | Noise]:
    try:
        found = json_text.read(line)
    except json_text.TooDeepError as error:
        return [_broken(line, f"its answer cannot be read: {error}")]
    except UnicodeDecodeError as error:
        return [_broken(line, f"its answer is not UTF-8 (byte {error.start})")]
    except ValueError as error:
        return [_broken(line, f"its answer is not valid JSON ({error})")] if line.strip() else []
    # Revision 2025-03-26 allowed batches, and servers of that time may still answer with one.
    messages = found if isinstance(found, list) else [found]
    return [each if isinstance(each, dict) else Noise(encode(each)) for each in messages]


def _broken(line: bytes, reason: str) -> Broken | Noise:
    found = _FIRST.match(line[:_EDGE]) or _LAST.search(line[-_EDGE:])
    return Broken(int(found[1]), reason) if found else Noise(line)
