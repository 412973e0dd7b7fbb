"""One JSON line per call: who did what to which object, how it ended; no argument's value beyond the target."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from kmcp_runtime import redaction

_TARGET_WORDS = (
    "context",
    "datasource",
    "namespace",
    "resource_type",
    "resource_name",
    "name",
    "pod_name",
    "service_name",
    "container",
    "action",
    "url",
    "uid",
    "user_id",
    "org_id",
    "team_id",
    "annotation_id",
    "folder_uid",
    "group",
)
_LONGEST = 128


@dataclass
class Entry:
    """What the line says; filled while the call goes on."""

    request: str
    server: str
    tool: str
    effect: str
    caller: str
    arguments: str = ""
    target: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False
    approval: str | None = None
    """How destruction was allowed or refused: `asked`, `token`, `off`, `required`, `refused`."""
    via: str | None = None
    """The tool by which the call came, where it was not made by its own name."""
    outcome: str = "ok"
    duration_ms: float = 0.0
    answer_bytes: int = 0

    def describe(self, arguments: Mapping[str, Any]) -> None:
        # A digest: equal calls can be recognised, and no value can be read from the line.
        self.arguments = redaction.fingerprint(json.dumps(arguments, sort_keys=True, default=str))
        self.dry_run = arguments.get("dry_run") in (True, "true")
        self.target = {
            # Cut before it is searched: a caller may send megabytes as a name.
            word: redaction.text(str(arguments[word])[:_LONGEST])
            for word in _TARGET_WORDS
            if arguments.get(word)
        }


def write(entry: Entry, to: TextIO | None = None) -> None:
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "log": "audit", **vars(entry)}
    kept = {key: value for key, value in line.items() if value is not None}
    # stderr, since stdout belongs to the protocol of the stdio transport.
    print(json.dumps(kept, separators=(",", ":"), ensure_ascii=False), file=to or sys.stderr, flush=True)
