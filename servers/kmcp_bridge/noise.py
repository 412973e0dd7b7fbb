"""Lines of a process in the log of the bridge: cleaned, cut, and no more of them than a log can take."""

import logging
import time
from collections import deque

from kmcp_runtime import redaction

log = logging.getLogger("kmcp.bridge")
_MOST_LINES, _SECONDS = 200, 10.0  # of one stream, in this time
_LONGEST = 1024
# What is cleaned is longer than what is shown, so that a secret is not cut to something that nobody recognises.
_CLEANED = 4 * _LONGEST


class LineLog:
    """Lines of one stream; beyond its share of the log they are counted, and the count is logged."""

    def __init__(self, prefix: str, level: int) -> None:
        self._prefix, self._level = prefix, level
        self._times: deque[float] = deque(maxlen=_MOST_LINES)
        self._left_out = 0

    def note(self, line: str) -> None:
        """Log it, or count it."""
        now = time.monotonic()
        if len(self._times) == _MOST_LINES and now - self._times[0] < _SECONDS:
            if not self._left_out:
                log.log(self._level, "%s: too many lines at a time; those that follow are counted", self._prefix)
            self._left_out += 1
            return
        self._times.append(now)
        if self._left_out:
            log.log(self._level, "%s: %d lines were not shown", self._prefix, self._left_out)
            self._left_out = 0
        cleaned = clean(line)
        if cleaned:
            log.log(self._level, "%s: %s", self._prefix, cleaned)


def clean(line: str) -> str:
    """A line of a process as a log, a condition or an error may hold it."""
    return redaction.text(line[:_CLEANED].rstrip())[:_LONGEST]
