"""A collector: takes OTLP over HTTP, by the protobufs of the protocol itself, and keeps the spans."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.serving import in_thread
from tests.waiting import until

_KINDS = {trace_pb2.Span.SPAN_KIND_SERVER: "server", trace_pb2.Span.SPAN_KIND_CLIENT: "client"}


@dataclass(frozen=True)
class Received:
    """One span as it came in; ids in hexadecimal."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    links: tuple[str, ...]
    resource: dict[str, Any]
    raw: bytes


@dataclass
class Collector:
    """What came in until now; `url` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    url: str
    spans: list[Received] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)

    async def span(self, name: str, **attributes: Any) -> Received:
        """The first span of this name and with these attributes, once it has come in."""

        async def look() -> list[Received]:
            return [each for each in self.spans if each.name == name and attributes.items() <= each.attributes.items()]

        return (await until(look, what=f"a span {name}"))[0]

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                self.spans.extend(_read(span, resource) for span in of_scope.spans)


def _read(span: trace_pb2.Span, resource: dict[str, Any]) -> Received:
    return Received(
        name=span.name,
        kind=_KINDS.get(span.kind, "internal"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=_values(span.attributes),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        links=tuple(link.trace_id.hex() for link in span.links),
        resource=resource,
        raw=span.SerializeToString(),
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")


@contextmanager
def collecting(status: int = 200, hold: threading.Event | None = None) -> Iterator[Collector]:
    """A collector that answers with this status, and not before `hold` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests.append({"path": self.path, **{key.lower(): text for key, text in self.headers.items()}})
            if hold is not None:
                hold.wait()
            if status == 200:
                collector.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test reads what was kept."""

    # Not in the test's loop: the end of a server waits for it.
    with in_thread(Handler) as port:
        collector = Collector(f"http://127.0.0.1:{port}")
        try:
            yield collector
        finally:
            if hold is not None:
                hold.set()
