"""The trace that the request under way belongs to, as W3C Trace Context writes it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_WRITTEN = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE = 512  # bytes that every participant must pass on; what is longer may be dropped
_STATE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class TraceContext:
    """A place in a trace: ids in lower-case hexadecimal; `state` is the `tracestate` that came with them."""

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""
    remote: bool = field(default=False, compare=False)
    """Another process made it: the client."""

    @property
    def headers(self) -> dict[str, str]:
        """What a request that goes on from here carries."""
        headers = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"}
        return headers | ({TRACESTATE: self.state} if self.state else {})


_current: ContextVar[TraceContext | None] = ContextVar("kmcp_trace", default=None)


def trace_id() -> str | None:
    """The id of the trace that the call under way belongs to, 32 hexadecimal digits.

    That of its span where spans are made, else the one that the client named in `_meta` or in the HTTP header;
    None where there is neither.
    """
    found = _current.get()
    return found.trace_id if found else None


def current() -> TraceContext | None:
    return _current.get()


@contextmanager
def within(place: TraceContext | None) -> Iterator[None]:
    """What runs inside belongs to this place of a trace."""
    token = _current.set(place)
    try:
        yield
    finally:
        _current.reset(token)


def received(carrier: Mapping[str, Any] | None) -> TraceContext | None:
    """The context that a message or its headers carry; None where there is none that is valid."""
    text = carrier.get(TRACEPARENT) if carrier else None
    written = _WRITTEN.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST_STATE else None
    if carrier is None or written is None:
        return None
    version, trace, span, flags, more = written.groups()
    # Later versions may have more parts; the first has none, and ff is forbidden.
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return TraceContext(trace, span, bool(int(flags, 16) & 1), _state(carrier.get(TRACESTATE)), True)


def _state(text: Any) -> str:
    fits = isinstance(text, str) and len(text) <= _LONGEST_STATE and _STATE.fullmatch(text)
    return text.strip() if fits else ""
