"""Words of PromQL."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kmcp_prometheus.promql.position import place, pointed

AGGREGATIONS = frozenset(
    [
        "sum",
        "avg",
        "count",
        "min",
        "max",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "count_values",
        "quantile",
        "limitk",
        "limit_ratio",
    ]
)
_UNITS = r"(?:ms|[smhdwy])"
_DURATION = rf"(?:\d+(?:\.\d+)?{_UNITS})(?:\d+{_UNITS})*"
_TOKEN = re.compile(
    r"(?P<space>\s+|#[^\n]*)"
    rf"|(?P<duration>{_DURATION})(?!\w)"
    r"|(?P<number>0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<name>[a-zA-Z_:][\w:]*)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`)'
    r"|(?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],:@])",
    re.ASCII,
)
_COLON = re.compile(r"(?P<sign>:)")
_ESCAPES = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class SyntaxFault(Exception):
    """Text that is no PromQL: what is wrong and where, in Prometheus' own form, with the line and a caret."""

    def __init__(self, query: str, offset: int, message: str) -> None:
        line, column = place(query, offset)
        self.position = f"{line}:{column}"
        self.message = f"{self.position}: parse error: {message}"
        self.shown = pointed(query, line, column)
        super().__init__(self.message)


@dataclass(frozen=True)
class Token:
    kind: str
    """`name`, `number`, `duration`, `string`, `sign` or `end`."""
    text: str
    at: int


def tokens(query: str) -> list[Token]:
    return [*_scanned(query), Token("end", "", len(query))]


def _scanned(query: str) -> Iterator[Token]:
    at = 0
    bracketed = False
    while at < len(query):
        # A colon is part of a name, but between brackets it parts the range from the step.
        match = (_COLON.match(query, at) if bracketed else None) or _TOKEN.match(query, at)
        if match is None:
            quoted = query[at] in "\"'`"
            told = "unterminated string" if quoted else f"unexpected character: {query[at]!r}"
            raise SyntaxFault(query, at, told)
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], at)
            bracketed = match[0] == "[" or (bracketed and match[0] != "]")
        at = match.end()


def unquoted(text: str) -> str:
    """The value of a string literal."""
    return text[1:-1] if text[0] == "`" else _ESCAPES.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal = match[1] or match[2] or match[3]
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    if match[4]:
        return chr(int(match[4], 8))
    return _LETTERS.get(match[5], match[5])


def quoted(text: str) -> str:
    """A string literal of that value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
