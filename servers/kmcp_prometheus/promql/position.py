"""Where in an expression an error is, shown the way compilers do: the line, and a caret below it."""

import re

from kmcp_runtime import ToolFailure
from kmcp_runtime.echoes import LONGEST

PLACE = re.compile(r"\b(\d+):(\d+): parse error")
_LONGEST_LINE = LONGEST


_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""A name as OpenTelemetry writes it."""


def located(failure: ToolFailure, query: str) -> ToolFailure:
    """The failure with the line that its position names and a caret, when it names one."""
    match = PLACE.search(failure.message)
    if failure.code == "bad_argument" and match:
        shown = pointed(query, int(match[1]), int(match[2]))
        failure.message = f"{failure.message}\n{shown}" if shown else failure.message
    dotted = _DOTTED.search(_QUOTED.sub("", query)) if failure.code == "bad_argument" else None
    if dotted and not failure.hint:
        failure.hint = f'a name with dots stands in quotes and braces: {{"{dotted[0]}"}}'
    return failure


def pointed(query: str, line: int, column: int) -> str:
    """The line and a caret below its column; both count from 1, the column in bytes of UTF-8."""
    lines = query.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1]
    # Prometheus counts bytes; a caret below text with umlauts must count characters.
    at = len(text.encode()[: column - 1].decode(errors="ignore"))
    start = max(at - _LONGEST_LINE // 2, 0) if len(text) > _LONGEST_LINE else 0
    # A tab would move everything behind it, but not the caret below.
    shown = text[start : start + _LONGEST_LINE].replace("\t", " ")
    return f"{shown}\n{' ' * (at - start)}^"


def place(query: str, offset: int) -> tuple[int, int]:
    """Line and column (in bytes, both from 1) of a character's offset."""
    before = query[:offset]
    line = before.count("\n") + 1
    return line, len(before.rpartition("\n")[2].encode()) + 1
