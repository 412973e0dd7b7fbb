"""Audits that tests look at and tamper with."""

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.audit.audit_command import main
from kmcp_runtime.audit.record import Entry
from kmcp_runtime.audit.trail import Trail
from kmcp_runtime.engine.configured import Process


@contextmanager
def trail(path: Path | None = None, **settings: Any) -> Iterator[Trail]:
    """The trail of a process with these settings, ended in order afterwards."""
    place = {"audit_file": str(path)} if path else {}
    process = Process.of(RuntimeSettings(**(place | settings)))
    try:
        yield process.refusals.trail
    finally:
        process.refusals.close()


def entry(number: int = 0, **more: Any) -> Entry:
    return Entry(request=f"r{number}", server="shelf", tool="shelf_put", effect="write", caller="alice", **more)


def written(path: Path, count: int, **settings: Any) -> list[bytes]:
    """The lines of a new audit with so many calls, from `start` to `stop`."""
    with trail(path, **settings) as found:
        for number in range(count):
            found.write(entry(number))
    return path.read_bytes().splitlines(keepends=True)


def verify(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `kmcp-suite audit verify --json`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["verify", "--json", *map(str, arguments)])
    return code, json.loads(out.getvalue()) if out.getvalue() else {}


def kinds(*arguments: str | Path) -> list[str]:
    """What is wrong, in one word for each fault."""
    code, found = verify(*arguments)
    assert code == (1 if found["faults"] else 0), found
    return [fault["kind"] for fault in found["faults"]]


def records(text: str) -> list[dict[str, Any]]:
    """The lines of the audit in a text that holds others too."""
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"log":"audit"')]


def calls(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "call"]
