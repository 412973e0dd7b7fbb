"""Words of PromQL."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kmcp_prometheus.promql.position import place, pointed

_AGGREGATIONS = "sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio"
AGGREGATIONS = frozenset(_AGGREGATIONS.split())
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+|#[^\r\n]*)"
    # Everything that may follow the first digit of a number, so that `5x` is one wrong word and not two right ones.
    r"|(?P<number>0[xX]\w*|\.?\d(?:(?<=[eE])[+-]|[\w.])*)"
    r"|(?P<name>[a-zA-Z_:][\w:]*)"
    r'|(?P<string>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`)'
    r"|(?P<sign>=~|!~|==|!=|<=|>=|</|>/|[-+*/%^<>=(){}\[\],:@])",
    re.ASCII,
)
# Between brackets a colon parts the range from the step, and in braces no name has one.
_NARROW = re.compile(r"(?P<sign>:)|(?P<name>[a-zA-Z_]\w*)", re.ASCII)
_OPENING = {"[": "]", "{": "}"}


# An exception of its own and not a ToolFailure: callers decide whether a fault is an answer or a reason to ask further.
class SyntaxFault(Exception):
    """Text that is not PromQL: what is wrong and where, in Prometheus' own form, with the line and a caret."""

    def __init__(self, query: str, offset: int, message: str) -> None:
        line, column = place(query, offset)
        self.position = f"{line}:{column}"
        self.message = f"{self.position}: parse error: {message}"
        self.shown = pointed(query, line, column)
        super().__init__(self.message)


class TooDeep(SyntaxFault):
    """Text that may be PromQL, nested deeper or larger than this parser follows: not a verdict."""


@dataclass(frozen=True)
class Token:
    kind: str
    """`name`, `number` (durations, too), `string`, `sign` or `end`."""
    text: str
    at: int


def tokens(query: str) -> list[Token]:
    return [*_scanned(query), Token("end", "", len(query))]


def _scanned(query: str) -> Iterator[Token]:
    at = 0
    closing = ""
    while at < len(query):
        match = (_NARROW.match(query, at) if closing else None) or _TOKEN.match(query, at)
        if match is None:
            quoted = query[at] in "\"'`"
            message = "unterminated quoted string" if quoted else f"unexpected character: {query[at]!r}"
            raise SyntaxFault(query, at, message)
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], at)
            closing = "" if match[0] == closing else closing or _OPENING.get(match[0], "")
        at = match.end()
