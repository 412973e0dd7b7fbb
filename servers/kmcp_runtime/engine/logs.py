"""Logging of a server process: one line each to stderr, redacted like everything that leaves."""

import logging
import sys

from kmcp_runtime import redaction


class RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        with redaction.echoing(None):
            return redaction.text(super().format(record))


def configure(level: str) -> None:
    """Send every library's log through one redacting handler on stderr; stdout belongs to the stdio transport."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("fastmcp", "mcp", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Below warning they narrate each request, arguments included.
    for name in ("mcp", "fastmcp", "FastMCP", "httpx2", "httpcore2", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.WARNING, getattr(logging, level.upper())))
