"""The JSON-RPC messages in an answer of HTTP, be it one document or a stream of events, bounded while they arrive."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from kmcp_runtime.worker import run_in_thread

_TURN = 64
"""Events of a stream that are read in one step: a piece of it can hold tens of thousands, and others wait meanwhile."""
_VALUES = 200_000  # of one message, and lines of one event
# An event of a stream ends with an empty line; servers send either kind of line break.
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


class TooMuchError(Exception):
    """More than the reader takes; the text says of what."""


@dataclass
class Meter:
    """Counts the bytes of one answer; with `each`, those of each event of a stream that has no end."""

    most: int
    each: bool = False
    read: int = 0

    def add(self, size: int) -> None:
        self.read += size
        if self.read > self.most:
            raise TooMuchError(f"more than {self.most >> 20} MiB")

    def end_event(self, left: int) -> None:
        """An event is complete, and `left` bytes behind it have come already."""
        if self.each:
            self.read = left


async def read_messages(response: httpx2.Response, meter: Meter) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of a body; what is not one comes as an empty object. Errors: `TooMuchError`, those of httpx2."""
    stream = response.headers.get("content-type", "").startswith("text/event-stream")
    buffer, seen, events = bytearray(), 0, 0
    async for chunk in response.aiter_raw():  # nothing was asked for packed, and what is, is not unpacked
        meter.add(len(chunk))
        buffer += chunk
        while stream and (end := _END.search(buffer, seen)):
            event, seen = bytes(buffer[: end.start()]), 0
            del buffer[: end.end()]
            meter.end_event(len(buffer))
            events += 1
            if events % _TURN == 0:
                await asyncio.sleep(0)
            if data := _data(event):
                yield await _object(data)
        seen = max(0, len(buffer) - 3)  # an end may have begun; what comes before is never looked at again
    if not stream:
        yield await _object(bytes(buffer))


def _data(event: bytes) -> bytes:
    """The text that an event carries; empty where it carries none. Errors: `TooMuchError`."""
    if event.count(b"\n") + event.count(b"\r") > _VALUES:  # each line becomes an object, in one step
        raise TooMuchError(f"more than {_VALUES:,} lines in an event")
    return b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))


_SMALL = 16 * 1024
"""What is smaller is read in less time than it takes to hand it to a thread."""


async def _object(text: bytes) -> dict[str, Any]:
    # Megabytes take long to read, and whoever lists them must not hold the process up.
    return read_object(text) if len(text) < _SMALL else await run_in_thread(read_object, text)


def read_object(text: bytes) -> dict[str, Any]:
    """The object of a JSON text; an empty one where it is none. Errors: `TooMuchError`."""
    # Before it is read: Python makes hundreds of thousands of values in one step, in which nothing else runs.
    if sum(map(text.count, (b",", b"[", b"{"))) > _VALUES:
        raise TooMuchError(f"more than {_VALUES:,} values")
    try:
        # Not the bounded reader: one tool that nests too deep is cut by `scrub`, and does not hide all the others.
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
