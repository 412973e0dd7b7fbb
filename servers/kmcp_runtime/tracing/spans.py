"""Spans of the way of a call, made by whatever collects them; nothing while nobody does.

What collects them is handed in (`collect`), so that the code on the way imports no library for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, Protocol

from kmcp_runtime.tracing import contexts
from kmcp_runtime.tracing.contexts import TraceContext

Kind = Literal["server", "client"]
Attributes = Mapping[str, str | int | bool | None]
"""Of a span; what is None is left out."""


class Span(Protocol):
    """A span under way."""

    @property
    def place(self) -> TraceContext | None:
        """Where in its trace it is."""

    def put(self, attributes: Attributes) -> None: ...

    def failed(self, kind: str) -> None:
        """Its error by class; never by its text, which may quote anything."""

    def end(self) -> None: ...


class Collector(Protocol):
    """Starts spans and takes them when they end."""

    def start(
        self, name: str, kind: Kind, attributes: Attributes, parent: TraceContext | None, link: TraceContext | None
    ) -> Span: ...


class _Uncollected:
    place = None

    def put(self, attributes: Attributes) -> None: ...

    def failed(self, kind: str) -> None: ...

    def end(self) -> None: ...


NOTHING: Span = _Uncollected()
_collector: Collector | None = None


def collect(collector: Collector | None) -> None:
    """From now on spans go there; nowhere where it is None."""
    global _collector  # noqa: PLW0603  # one for the process: doors to backends do not know whose call they serve
    _collector = collector


@contextmanager
def opened(
    name: str,
    kind: Kind,
    attributes: Attributes,
    link: TraceContext | None = None,
    class_of: Callable[[BaseException], str] = lambda error: type(error).__qualname__,
) -> Iterator[Span]:
    """A span below the place of the trace where the code is; what runs inside is below the span.

    An exception that passes is its error, by its class.
    """
    if _collector is None:
        yield NOTHING
        return
    span = _collector.start(name, kind, attributes, contexts.current(), link)
    try:
        with contexts.within(span.place):
            yield span
    except BaseException as error:
        span.failed(class_of(error))
        raise
    finally:
        span.end()
