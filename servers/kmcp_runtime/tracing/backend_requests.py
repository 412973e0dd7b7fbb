"""Requests to backends and programs that are run: a span for each, and what is counted of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.tracing import contexts, spans

Count = Callable[[str, str, float], None]
"""Takes the backend, how the request ended (`ok`, `client_error`, `server_error`, `failed`) and its seconds."""
_counting: ContextVar[Count | None] = ContextVar("kmcp_backend_requests", default=None)
_FAMILIES = {4: "client_error", 5: "server_error"}


@dataclass(frozen=True)
class Target:
    """Which backend a request is for, and the route of its address: without names, queries and other values.

    One without a route is some address of others, which learns nothing of our trace.
    """

    backend: str
    route: str | None = None


ELSEWHERE = Target("web")
"""An address that a chart or a caller names."""


class Exchange:
    """A request under way."""

    def __init__(self, span: spans.Span, headers: Mapping[str, str]) -> None:
        self._span = span
        self.headers = headers
        """To be sent along: the trace, by W3C Trace Context."""
        self.outcome = "failed"

    def answered(self, status: int) -> None:
        """There is an answer, with this status of HTTP."""
        self._span.put({"http.response.status_code": status})
        self.outcome = _FAMILIES.get(status // 100, "ok")
        if status >= 400:
            self._span.failed(str(status))


@contextmanager
def counted_by(count: Count) -> Iterator[None]:
    """Requests that are made inside, also in tasks that start there, are counted there."""
    token = _counting.set(count)
    try:
        yield
    finally:
        _counting.reset(token)


@contextmanager
def request(target: Target, method: str, host: str | None, port: int | None) -> Iterator[Exchange]:
    """One request over HTTP; an exception that passes is its failure."""
    name = f"{method} {target.route}" if target.route else method
    attributes = {
        "http.request.method": method,
        "server.address": host,
        "server.port": port,
        "url.template": target.route,
        "kmcp.backend": target.backend,
    }
    began = time.perf_counter()
    with spans.opened(name, "client", attributes, class_of=_error_class) as span:
        # Also where we make no span: then the backend's is below the client's.
        place = contexts.current() if target.route else None
        exchange = Exchange(span, place.headers if place else {})
        try:
            yield exchange
        except BaseException:
            exchange.outcome = "failed"  # an answer that broke off is none, whatever its status
            raise
        finally:
            count = _counting.get()
            if count is not None:
                count(target.backend, exchange.outcome, time.perf_counter() - began)


def _error_class(error: BaseException) -> str:
    return error.code if isinstance(error, ToolFailure) else type(error).__qualname__


class Program:
    """A program under way."""

    def __init__(self, span: spans.Span) -> None:
        self._span = span

    def started(self, pid: int) -> None:
        self._span.put({"process.pid": pid})

    def ended(self, code: int) -> None:
        """It has ended with this exit code; one below zero is the signal that killed it."""
        self._span.put({"process.exit.code": code})
        if code:
            self._span.failed(str(code))


@contextmanager
def program(name: str) -> Iterator[Program]:
    """A program that is run; `name` is that of its file, without arguments, which may hold anything."""
    with spans.opened(name, "client", {"process.executable.name": name}) as span:
        yield Program(span)
