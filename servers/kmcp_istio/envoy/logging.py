"""Log levels of a proxy, as `POST /logging` without parameters reports them."""

import re

from pydantic import BaseModel

from kmcp_istio.envoy.entries import Entry

_OF_ZTUNNEL = "current log level is "
_ACTIVE = re.compile(r"^\s*([\w.:/-]+): (\w+)$", re.MULTILINE)


class Logger(BaseModel):
    """One logger."""

    logger: str
    level: str


def entries(answer: str) -> list[Entry]:
    return [Entry(row.logger, row, row.model_dump()) for row in rows(answer)]


def rows(answer: str) -> list[Logger]:
    """The loggers of Envoy (`admin: warning`) or ztunnel (`current log level is info,hickory=warn`)."""
    # ztunnel has the same path, but prints the directives of its tracing filter.
    if _OF_ZTUNNEL in answer:
        return [_directive(part) for part in answer.partition(_OF_ZTUNNEL)[2].strip().split(",")]
    return [Logger(logger=name, level=level) for name, level in _ACTIVE.findall(answer)]


def _directive(part: str) -> Logger:
    name, separator, level = part.rpartition("=")
    return Logger(logger=name if separator else "default", level=level)
