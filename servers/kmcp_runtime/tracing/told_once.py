"""A collector that is away is told once, however often spans are tried to be sent. Imported only with the SDK."""

import logging
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from kmcp_runtime import redaction

log = logging.getLogger("kmcp.traces")


class Overheard(logging.Handler):
    """Keeps what the SDK says last; it would say so for each attempt of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._dropped = False

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
        if self.last.startswith("Queue full") and not self._dropped:
            self._dropped = True
            log.warning("spans are dropped, for more come than leave; OTEL_BSP_MAX_QUEUE_SIZE is how many may wait")


def overhear() -> Overheard:
    """From now on what the SDK logs is kept for `ToldOnce` instead."""
    # Each exporter says it under its own name, and filters of a logger are not asked for those below it.
    logger, said = logging.getLogger("opentelemetry"), Overheard()
    logger.handlers, logger.propagate = [said], False
    return said


class ToldOnce(SpanExporter):
    """An exporter with one line in the log when sending begins to fail, and one when it works again."""

    def __init__(self, exporter: SpanExporter, said: Overheard) -> None:
        self._exporter, self._said = exporter, said
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            reason = redaction.text(self._said.last) or "no reason is given"
            log.warning("traces cannot be sent, and calls go on without them: %s", reason)
        elif self._failing and not failed:
            log.info("traces are sent again")
        self._failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
