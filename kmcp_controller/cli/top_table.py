"""How `kmcp-suite top` shows what it found: a table as wide as the terminal, or a JSON document. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kmcp_controller.telemetry.readings import Figures, Row

if TYPE_CHECKING:
    from rich.table import Table

SORTS: Mapping[str, Callable[[Row], Any]] = {
    "rate": lambda row: (-(row.per_second or 0), -row.calls),
    "calls": lambda row: -row.calls,
    "errors": lambda row: (-row.errors, -row.calls),
    "p50": lambda row: -(row.p50 or 0),
    "p95": lambda row: -(row.p95 or 0),
    "tool": lambda row: (),
}
_MIDDLE, _WIDE = 60, 90
"""Columns of a terminal from which on more is shown."""


def chosen(figures: Figures, sort: str, server: str | None) -> list[Row]:
    """The rows in their order; equal ones by server and tool, so that they stand still."""
    rows = [row for row in figures.rows() if server in (None, row.server)]
    return sorted(rows, key=lambda row: (SORTS[sort](row), row.server, row.tool))


def table(rows: Iterable[Row], width: int, most: int | None = None) -> "Table":
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    columns = [each for each in _COLUMNS if width >= each[3]]
    for name, _, right, _ in columns:
        least = min(24, width // 2) if name == "TOOL" else None
        made.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ellipsis", min_width=least)
    for row in list(rows)[:most]:
        made.add_row(*(Text(show(row)) for _, show, _, _ in columns), style="red" if row.errors else None)
    return made


def document(rows: Iterable[Row], figures: Figures, faults: Mapping[str, str], time: str) -> dict[str, Any]:
    """For scripts: seconds, and null where there is nothing to tell."""
    tools = [
        {
            "server": row.server,
            "tool": row.tool,
            "calls": row.calls,
            "errors": row.errors,
            "errorCodes": dict(row.codes),
            "inFlight": row.in_flight,
            "callsPerSecond": _rounded(row.per_second),
            "p50Seconds": _rounded(row.p50),
            "p95Seconds": _rounded(row.p95),
        }
        for row in rows
    ]
    return {"time": time, "windowSeconds": _rounded(figures.seconds), "faults": dict(faults), "tools": tools}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _rate(row: Row) -> str:
    return "" if row.per_second is None else f"{row.per_second:.2f}"


def _errors(row: Row) -> str:
    return f"{row.errors} ({row.errors / row.calls:.0%})" if row.errors and row.calls else str(row.errors)


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


_COLUMNS: tuple[tuple[str, Callable[[Row], str], bool, int], ...] = (
    ("SERVER", lambda row: row.server, False, _WIDE),
    ("TOOL", lambda row: row.tool, False, 0),
    ("CALLS", lambda row: str(row.calls), True, 0),
    ("PER S", _rate, True, _MIDDLE),
    ("ERRORS", _errors, True, 0),
    ("NOW", lambda row: str(row.in_flight or ""), True, _WIDE),
    ("P50", lambda row: seconds(row.p50), True, _MIDDLE),
    ("P95", lambda row: seconds(row.p95), True, 0),
)
"""Name, what it shows, whether to the right, from which width on."""
