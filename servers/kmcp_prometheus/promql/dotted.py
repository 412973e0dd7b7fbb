"""Names with dots that stand without quotes, as OpenTelemetry writes them: `http.client.requests{http.route="/x"}`.

PromQL wants `{"http.client.requests","http.route"="/x"}`. There is only one thing that the other can mean.
"""

import re
from collections.abc import Iterator

from kmcp_prometheus.promql.lexer import SyntaxFault
from kmcp_prometheus.promql.parser import parse

_PART = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*|\[[^\]]*\])"""
    r"|(?P<dotted>[a-zA-Z_:][\w:]*(?:\.[a-zA-Z_][\w:]*)+)"
    r"|(?P<word>[a-zA-Z_:][\w:]*)|(?P<sign>[{}()])|(?P<rest>[\s\S])",
    re.ASCII,
)
_BRACE = re.compile(r"\s*\{")
_EMPTY = re.compile(r"\{\s*\}")
_LABELS_FOLLOW = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})


def repaired(text: str) -> str:
    """The expression with quotes around its dotted names, where it is none without and one with them."""
    if "." not in text or _is_valid(text):
        return text
    found = "".join(_quoted(text))
    return found if found != text and _is_valid(found) else text


def _is_valid(text: str) -> bool:
    try:
        parse(text)
    except SyntaxFault:
        return False
    return True


def _quoted(text: str) -> Iterator[str]:
    braces, before = 0, ""
    # For each open parenthesis: whether labels stand in it.
    parentheses: list[bool] = []
    opening = -1
    for part in _PART.finditer(text):
        shown, kind = part[0], part.lastgroup
        if kind == "dotted" and (braces > 0 or (parentheses and parentheses[-1])):
            yield f'"{shown}"'
            continue
        if kind == "dotted":
            follows = _BRACE.match(text, part.end())
            # The name becomes the first of the matchers, of which there may be none.
            yield f'{{"{shown}"' + ("" if follows else "}")
            opening = follows.end() - 1 if follows else -1
            continue
        braces += {"{": 1, "}": -1}.get(shown, 0)
        if shown == "(":
            parentheses.append(before.lower() in _LABELS_FOLLOW)
        elif shown == ")" and parentheses:
            parentheses.pop()
        before = shown if kind == "word" else before if not shown.strip() else ""
        if part.start() == opening:
            shown = "" if _EMPTY.match(text, opening) else ","
        yield shown
