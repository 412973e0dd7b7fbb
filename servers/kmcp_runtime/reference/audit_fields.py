"""The page of the audit's fields: what the lines of each event say, from their classes."""

from collections.abc import Mapping
from typing import get_type_hints

from kmcp_runtime.audit.record import EVENTS, WHAT, Record
from kmcp_runtime.audit.refusals import ABOUT, LINES, WINDOW_SECONDS
from kmcp_runtime.reference.markdown import code, table
from kmcp_runtime.reference.markdown import page as joined

_ABOUT = """\
One JSON object on one line of ASCII, 8 KiB at most. A field that has nothing to say is left out. What it is for, and
how lines are checked, is in [The audit](../guides/audit.md)."""
_EVERY = (
    ("log", "`audit`, always first"),
    ("event", "Which of the events below"),
    ("time", "When the line was made (UTC)"),
    ("instance", "Stands for the process, from its start to its end"),
    ("left_out", "Said where a part was too long for a line"),
    ("chain", "Name of the chain: one for each file, with what it was rotated to, and one for each process elsewhere"),
    ("seq", "Number of the line in its chain, from 1"),
    ("alg", "`sha256`, or `hmac-sha256` with a key"),
    ("prev", "Hash of the line before; zeros for the first"),
    ("hash", "Hash of this line's bytes up to this field, always last"),
)


def page() -> str:
    parts = ["# Fields of the audit", _ABOUT, "## Every line", table(("Field", "Meaning"), _rows(dict(_EVERY)))]
    for event in EVENTS:
        about = " ".join((event.__doc__ or "").split())
        parts += [f"## {event.event}", about, _fields(event)]
    parts += [
        "## Reasons",
        _REASONS,
        table(("Reason", "Meaning"), _rows({str(key): text for key, text in ABOUT.items()})),
    ]
    parts += ["## What happens to a file", table(("What", "Meaning"), _rows(WHAT))]
    return joined(*parts)


_REASONS = f"""\
Of `refused`, and of the metric `kmcp_requests_refused_total`. In {WINDOW_SECONDS} seconds {LINES} lines tell of the
same reason and address (or caller and tool); one more says how many others there were."""


def _rows(meanings: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(code(name), text) for name, text in meanings.items()]


def _fields(event: type[Record]) -> str:
    hints = get_type_hints(event, include_extras=True)
    meanings = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return table(("Field", "Meaning"), _rows(meanings)) if meanings else ""
