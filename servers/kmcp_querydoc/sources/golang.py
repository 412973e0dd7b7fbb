"""The words of Go source: literals, names, comments and marks; enough to read declarations without a compiler."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<raw>`[^`]*`)|(?P<text>\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<rune>'(?:[^'\\\n]|\\.)+')|(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)|(?P<mark>:=|\.\.\.|[^\s\w])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(n|t|r|\"|'|\\|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
# No carriage returns: the text becomes Markdown.
_SIMPLE = {"n": "\n", "t": "\t", "r": ""}


@dataclass(frozen=True)
class Token:
    kind: Literal["name", "string", "number", "mark"]
    value: str


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a file, comments and blanks left out."""
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup, match[0]
        if kind == "raw":
            yield Token("string", text[1:-1])
        elif kind in ("text", "rune"):
            yield Token("string", _ESCAPE.sub(_unescaped, text[1:-1]))
        elif kind == "name":
            yield Token("name", text)
        elif kind == "number":
            yield Token("number", text)
        elif kind == "mark":
            yield Token("mark", text)


def _unescaped(match: re.Match[str]) -> str:
    body = match[1]
    if body[0] in "ux" and len(body) > 1:
        return chr(int(body[1:], 16))
    return _SIMPLE.get(body, body)
