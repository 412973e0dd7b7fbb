"""Logs of one container: the newest lines, up to a fixed number of bytes."""

import math
from dataclasses import dataclass

from kmcp_runtime import Pattern
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure

LARGEST_LOG = 4 << 20
"""Bytes that are read of one container."""
SEARCHED_LINES = 10_000
"""Lines that `match` looks at."""


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
        query += [(name, "true") for name, on in (("previous", self.previous), ("timestamps", self.timestamps)) if on]
        return query


@dataclass
class Log:
    """The newest lines that were wanted. `cut` says why older (or, at the byte limit, newer) ones are missing."""

    container: str
    lines: list[str]
    bytes: int = 0
    cut: str | None = None
    problem: str | None = None
    """Why there is nothing to read: the API server's message."""


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
        raise
    return _log(container, content, wanted)


def _log(container: str, content: bytes, wanted: Wanted) -> Log:
    lines = content.decode(errors="replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    cut = None
    # limitBytes counts from the oldest line sent, so it is the newest lines that are missing.
    if len(content) >= LARGEST_LOG:
        cut = f"{container}: long lines, only the first {LARGEST_LOG >> 20} MiB of them were read; lower tail_lines"
    if wanted.match:
        searched = len(lines)
        lines = [line for line in lines if wanted.match.found_in(line)]
        if searched >= SEARCHED_LINES:
            cut = cut or f"{container}: only its newest {SEARCHED_LINES} lines were searched; narrow with since"
    if len(lines) > wanted.tail:
        cut = cut or "older lines exist: raise tail_lines (at most 2000), or narrow with since or match"
    return Log(container, lines[-wanted.tail :], len(content), cut)
