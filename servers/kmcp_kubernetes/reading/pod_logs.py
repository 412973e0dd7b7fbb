"""Logs of one container: the newest lines, up to a fixed number of bytes."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kmcp_runtime import Pattern, redaction
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.worker import run_in_thread

LARGEST_LOG = 4 << 20
"""Bytes that are read of one container."""
SEARCHED_LINES = 10_000
"""Lines that `match` looks at."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ?")
# How the kubelet's own errors begin (k8s.io/cri-client `logs.go`, kubelet `kuberuntime_container.go`). It says 200
# before it has found the log, so an error is the last line of the text.
_KUBELET_WORDS = re.compile(
    r"unable to retrieve container logs for |unsupported log format: |context cancell?ed|"
    r"failed to (?:try resolving symlinks in path|open log file|tail \d+ lines|seek |read log file|"
    r"reset seek in log file|create fsnotify watcher|watch directory|get parse function|get container status|check )"
)


@dataclass(frozen=True)
class Wanted:
    """What to read of a log. Seconds for `since`."""

    tail: int
    previous: bool = False
    since: float | None = None
    timestamps: bool = False
    match: Pattern | None = None

    def query(self, container: str) -> list[tuple[str, str]]:
        # One line more than wanted shows whether there are older ones.
        lines = SEARCHED_LINES if self.match else self.tail + 1
        query = [("container", container), ("tailLines", str(lines)), ("limitBytes", str(LARGEST_LOG))]
        if self.since is not None:
            # The API takes whole seconds and refuses 0.
            query.append(("sinceSeconds", str(max(1, math.ceil(self.since)))))
        # Always with times: they tell what the container wrote from what the kubelet says about the log.
        return [*query, ("timestamps", "true"), *([("previous", "true")] if self.previous else ())]


@dataclass
class Log:
    """The newest lines that were wanted. `cut` says why older (or, at the byte limit, newer) ones are missing."""

    container: str
    lines: list[str]
    bytes: int = 0
    cut: str | None = None
    problem: str | None = None
    """Why there is nothing (more) to read: the API server's or the kubelet's message."""
    gone: bool = False
    """True when the kubelet cannot read the log, which the container may have written."""


async def read(api: KubeApi, namespace: str, pod: str, container: str, wanted: Wanted) -> Log:
    """Read the log; a container without one yet gives no lines, and the reason."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    try:
        # The kubelet sends logs as text but failures as JSON, so the request must accept both.
        content = await api.raw("GET", path, wanted.query(container), accept="*/*")
    except StatusFailure as failure:
        # The API server's answer while a container has not started, or has no previous run.
        if failure.http_status == 400 and "container" in failure.message:
            return Log(container, [], problem=failure.message)
        # The pod was read a moment ago: it is the node that has forgotten it, as after an eviction.
        if failure.http_status == 404:
            return Log(container, [], problem=failure.message, gone=True)
        raise
    return await run_in_thread(_log, container, content, wanted)


def _log(container: str, content: bytes, wanted: Wanted) -> Log:
    lines = content.decode(errors="replace").split("\n")
    # A text that was cut at the byte limit may end within a time.
    problem = None if len(content) >= LARGEST_LOG else kubelet_words(lines)
    if lines[-1] == "" or problem:
        lines.pop()
    if not wanted.timestamps:
        lines = [_STAMP.sub("", line, count=1) if _STAMP.match(line) else line for line in lines]
    size = sum(len(line.encode()) + 1 for line in lines)
    cut = None
    # limitBytes counts from the oldest line sent, so it is the newest lines that are missing.
    if len(content) >= LARGEST_LOG:
        cut = f"{container}: long lines, only the first {LARGEST_LOG >> 20} MiB of them were read; lower tail_lines"
    if wanted.match:
        searched = len(lines)
        # As they are shown: a match of a hidden value would show it, character by character. Nor is a value shown for
        # being in `match`: a right guess would find the line.
        with redaction.echoing(None):
            hidden = redaction.value(lines)
        lines = [line for line in hidden if wanted.match.found_in(line)]
        if searched >= SEARCHED_LINES:
            cut = cut or f"{container}: only its newest {SEARCHED_LINES} lines were searched; narrow with since"
    if len(lines) > wanted.tail:
        cut = cut or "older lines exist: raise tail_lines (at most 2000), or narrow with since or match"
    return Log(container, lines[-wanted.tail :], size, cut, problem, bool(problem))


def kubelet_words(lines: Sequence[str]) -> str | None:
    """The kubelet's error after the last line: without a time, unlike all that a container writes, and without an end.

    A kubelet that sends no times at all (a virtual one) is believed only where it says what kubelets say.
    """
    last = lines[-1]
    if not last or _STAMP.match(last):
        return None
    return last if _KUBELET_WORDS.match(last) or any(_STAMP.match(line) for line in lines) else None
