"""One JSON object a line on stderr, redacted, with the object that it concerns."""

import json
import logging
import sys
from contextvars import ContextVar

from kmcp_runtime import redaction

about: ContextVar[str] = ContextVar("about", default="")
"""`namespace/name` of the MCPServer that the running task works on; tasks that it starts inherit it."""


class JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "object": _object(record),
            "message": redaction.text(record.getMessage()),
            "error": redaction.text(self.formatException(record.exc_info)) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in line.items() if value}, ensure_ascii=False)


def _object(record: logging.LogRecord) -> str:
    # kopf puts the object into its records, since it logs outside of our tasks.
    of_kopf = getattr(record, "k8s_ref", None)
    return f"{of_kopf['namespace']}/{of_kopf['name']}" if of_kopf else about.get()


def configure(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They log each request at info: two lines for each server and discovery.
    for name in ("httpx2", "httpcore2", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
