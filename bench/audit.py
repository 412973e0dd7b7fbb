"""`python -m bench.audit`: what a line of the audit costs, in CPU time: made, chained and written."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from bench.goal import Goal, cpu_milliseconds
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.audit.record import Entry
from kmcp_runtime.engine.configured import Process

LINES, RUNS = 2000, 5
ENTRY = Entry(
    request="4b6710a98b9d",
    server="kubernetes",
    tool="k8s_get_resources",
    effect="read",
    caller="system:serviceaccount:kagent:fixer",
    groups=["system:serviceaccounts", "system:serviceaccounts:kagent"],
    agent="kagent/0.7",
    trace="4bf92f3577b34da6a3ce929d0e0e4736",
    span="00f067aa0ba902b7",
    arguments="sha256:385ba80ea21b",
    target={"namespace": "shop", "resource_type": "pods", "resource_name": "web-0"},
    objects=[{"kind": "Pod", "namespace": "shop", "name": "web-0", "uid": "906238b6-717a-4c76-ba5d-40397ec00e7f"}],
    decision="allow",
    rule="scopes",
)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        key = Path(folder) / "key"
        key.write_text("k" * 32)
        for name, settings in {
            "to a file": {"audit_file": str(path)},
            "to a file, with a key": {"audit_file": f"{path}.keyed", "audit_key_file": str(key)},
            "to stderr": {"audit_sinks": "stderr"},
        }.items():
            print(Goal(f"CPU milliseconds a line, {name}", _milliseconds(RuntimeSettings(**settings)), 0.1).line())
    return 0


def _milliseconds(runtime: RuntimeSettings) -> float:
    """The shortest of some runs, each of many lines; stderr goes nowhere meanwhile."""
    refusals = Process.of(runtime).refusals
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        milliseconds = cpu_milliseconds(lambda: refusals.trail.write(ENTRY), RUNS, LINES)
    refusals.close()
    return milliseconds


if __name__ == "__main__":
    sys.exit(main())
