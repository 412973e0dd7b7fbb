"""Where spans are sent: as the environment variables of OpenTelemetry say, which mean here what they mean everywhere.

Nothing is imported of the SDK unless they ask for it. Spans wait in a queue of bounded length and leave from a thread
of their own, so a collector that is away holds no call up.
"""

import logging
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from kmcp_runtime.publishing import published
from kmcp_runtime.settings import SettingsError, listed
from kmcp_runtime.tracing import spans
from kmcp_runtime.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger("kmcp.traces")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = "OTEL_TRACES_EXPORTER"
_BY_PROTOCOL = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_END_SECONDS = 3.0
"""So long the last spans may take to leave when the process ends."""


def exporters(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The exporters that the environment asks for; none is the default, as nobody may listen."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    named = listed(environment.get(_EXPORTERS, ""))
    if named:
        return tuple(name for name in named if name != "none")
    return ("otlp",) if any(environment.get(name, "").strip() for name in _ENDPOINTS) else ()


@contextmanager
def exporting(service: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Spans of this process are made and sent while this is open, where the environment asks for it.

    `service` is the name that OTEL_SERVICE_NAME replaces. Errors: SettingsError, where the extra is not installed or a
    variable cannot be meant so.
    """
    names = exporters(environment)
    if not names:
        yield
        return
    provider = _provider(service, [_exporter(name, environment) for name in names])
    from kmcp_runtime.tracing.opentelemetry_spans import OpenTelemetryCollector

    spans.collect(OpenTelemetryCollector(provider.get_tracer("kmcp-suite", VERSION)))
    log.info("traces are sent by %s", ", ".join(names))
    try:
        yield
    finally:
        spans.collect(None)
        _shut_down(provider)


def _provider(service: str, made: "list[SpanExporter]") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from kmcp_runtime.tracing.told_once import ToldOnce, overhear

    found = Resource.create()
    own = {"service.name": service, "service.version": VERSION}
    # What the environment names stays; the SDK's own stand-in for a name does not.
    taken = {key for key, value in found.attributes.items() if not str(value).startswith("unknown_service")}
    resource = found.merge(Resource({key: value for key, value in own.items() if key not in taken}))
    # Ended by us: at the exit of the interpreter the SDK would wait for a collector that is away.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    said = overhear()
    for exporter in made:
        provider.add_span_processor(BatchSpanProcessor(ToldOnce(exporter, said)))
    return provider


def _exporter(name: str, environment: Mapping[str, str]) -> "SpanExporter":
    """By the name that OTEL_TRACES_EXPORTER gives it; the SDK knows those that are installed by entry points."""
    protocol = next((environment[each] for each in _PROTOCOLS if environment.get(each)), "http/protobuf")
    if name == "otlp" and protocol not in _BY_PROTOCOL:
        raise SettingsError(f"{_PROTOCOLS[1]}: {protocol!r} is none of {', '.join(_BY_PROTOCOL)}")
    wanted = _BY_PROTOCOL[protocol] if name == "otlp" else name
    found = {each.name: each for each in entry_points(group="opentelemetry_traces_exporter")}
    if wanted not in found:
        raise SettingsError(_absent(name, protocol, found))
    try:
        if wanted == "console":  # stdout belongs to the protocol of the stdio transport
            return cast("SpanExporter", found[wanted].load()(out=sys.stderr))
        return cast("SpanExporter", found[wanted].load()())
    except ValueError as error:
        raise SettingsError(f"an OTEL_EXPORTER_ variable cannot be used: {error}") from None


def _absent(name: str, protocol: str, found: Collection[str]) -> str:
    if find_spec("opentelemetry.sdk") is None or not found:
        how = f"{published().install_hint('otel')}, which images have, or unset the variables of OpenTelemetry"
        return f"traces are asked for ({_EXPORTERS} or {_ENDPOINTS[1]}), but its SDK is not installed: {how}"
    if name == "otlp":
        package = f"opentelemetry-exporter-otlp-proto-{protocol.partition('/')[0]}"
        return f"{_PROTOCOLS[1]}: there is no exporter for {protocol}; set http/protobuf, or install {package}"
    return f"{_EXPORTERS}: there is no exporter {name!r}; there are otlp, {', '.join(sorted(found))} and none"


def _shut_down(provider: "TracerProvider") -> None:
    """Send what is left, unless the collector takes too long: the thread is no reason for the process to stay."""
    ending = threading.Thread(target=provider.shutdown, name="kmcp-traces-end", daemon=True)
    ending.start()
    ending.join(_END_SECONDS)
