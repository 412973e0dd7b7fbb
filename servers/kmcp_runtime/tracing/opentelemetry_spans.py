"""Spans of the OpenTelemetry SDK. Imported only where they are collected."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from kmcp_runtime.tracing.contexts import TraceContext
from kmcp_runtime.tracing.spans import Attributes, Kind

_KINDS = {"server": trace.SpanKind.SERVER, "client": trace.SpanKind.CLIENT}


class OpenTelemetrySpan:
    """One span of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.place = _place(span.get_span_context())

    def put(self, attributes: Attributes) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name, value)

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()


class OpenTelemetryCollector:
    """Makes spans by a tracer of its own: the process-wide one would bring those of libraries, whose errors quote."""

    def __init__(self, tracer: trace.Tracer | Tracer) -> None:
        self._tracer = tracer

    def start(
        self, name: str, kind: Kind, attributes: Attributes, parent: TraceContext | None, link: TraceContext | None
    ) -> OpenTelemetrySpan:
        # An empty context, not the current one: in that the framework may have left a span of nobody.
        above = trace.set_span_in_context(trace.NonRecordingSpan(_named(parent)), Context()) if parent else Context()
        started = self._tracer.start_span(
            name,
            context=above,
            kind=_KINDS[kind],
            attributes={key: value for key, value in attributes.items() if value is not None},
            links=[trace.Link(_named(link))] if link else None,
            record_exception=False,
            set_status_on_exception=False,
        )
        return OpenTelemetrySpan(started)


def _place(found: SpanContext) -> TraceContext:
    state = found.trace_state.to_header() if found.trace_state else ""
    return TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled, state)


def _named(place: TraceContext) -> SpanContext:
    return SpanContext(
        int(place.trace_id, 16),
        int(place.span_id, 16),
        is_remote=place.remote,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([place.state]) if place.state else None,
    )
