"""The rules of a policy's text with their places, and where in it a fault is. Pure."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_TOKEN = re.compile(r'//[^\n]*|\s+|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+|::|[=!<>]=|&&|\|\||.', re.DOTALL)
_QUOTED = re.compile(r"`([^`]*)`")
_LAST = re.compile(r"[:\s](\S+)$")
UNFINISHED = "unexpected end of input"
"""What Cedar says of a text that could go on."""


@dataclass(frozen=True)
class Source:
    """A file of a policy."""

    name: str
    text: str

    @cached_property
    def statements(self) -> "tuple[Statement, ...]":
        """The rules of the file; what stands behind the last semicolon is one too."""
        return tuple(_statements(self))

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1


@dataclass(frozen=True)
class Fault:
    """What is wrong with a policy, and where."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True)
class Token:
    text: str
    start: int

    @property
    def word(self) -> str:
        """Without the quotes of a string."""
        return self.text[1:-1] if self.text[0] == '"' and len(self.text) > 1 else self.text


@dataclass(frozen=True)
class Statement:
    """One rule as it is written."""

    source: Source
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        last = self.tokens[-1]
        return self.source.text[self.tokens[0].start : last.start + len(last.text)]

    @property
    def line(self) -> int:
        return self.source.place(self.tokens[0].start)[0]

    @property
    def own_name(self) -> str:
        """A name for a rule without an id: its file and line, and the column of one that does not begin the line."""
        line, column = self.source.place(self.tokens[0].start)
        return f"{Path(self.source.name).name}:{line}" + (f":{column}" if column > 1 else "")

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.source.name}:{self.line}"

    def fault(self, text: str, at: Token | None = None) -> Fault:
        line, column = self.source.place((at or self.tokens[0]).start)
        return Fault(self.source.name, line, column, text)

    def find(self, *words: str) -> Token | None:
        """The first token that is one of these words, in their order."""
        return next((token for word in words for token in self.tokens if word and token.word == word), None)


def _statements(source: Source) -> Iterator[Statement]:
    tokens = list[Token]()
    for token in _tokens(source.text):
        tokens.append(token)
        if token.text == ";":
            yield Statement(source, tuple(tokens))
            tokens = []
    if tokens:
        yield Statement(source, tuple(tokens))


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        if not found[0].isspace() and not found[0].startswith("//"):
            yield Token(found[0], found.start())


def syntax_fault(statement: Statement, complaint: Callable[[str], str | None]) -> Fault | None:
    """Where Cedar's grammar ends; `complaint` is what it says of a text, None when that is whole."""
    said = complaint(statement.text)
    if said is None:
        return None
    tokens = statement.tokens
    if said == UNFINISHED:
        return statement.fault("the rule is not complete: it ends with a semicolon", tokens[-1])
    named = statement.find(*_words(said))
    if named is not None and "unexpected token" not in said:
        return statement.fault(said, named)
    until = tokens[: _first_wrong(statement, complaint) + 1]
    # At the end of a text Cedar may see a token later than it stands.
    return statement.fault(said, next((each for each in reversed(until) if each.word in _words(said)), until[-1]))


def _first_wrong(statement: Statement, complaint: Callable[[str], str | None]) -> int:
    """By halves: a beginning of a rule can go on until the token that cannot stand there."""
    tokens = statement.tokens
    begin, text = tokens[0].start, statement.source.text
    low, high = 0, len(tokens) - 1
    while low < high:
        middle = (low + high) // 2
        last = tokens[middle]
        if complaint(text[begin : last.start + len(last.text)]) in (UNFINISHED, None):
            low = middle + 1
        else:
            high = middle
    return low


def _words(said: str) -> Sequence[str]:
    """The words that a message is about: what it quotes, the last part first, and its last word."""
    quoted = [part for found in _QUOTED.findall(said) for part in (_inner(found), found)]
    last = _LAST.search(said)
    return [*quoted, *([last[1].lstrip("@")] if last else [])]


def _inner(quoted: str) -> str:
    """Of `Action::"x"` the x."""
    _, _, last = quoted.rpartition("::")
    return last.strip('"')


def rule_fault(statement: Statement, said: str) -> Fault:
    """A message of Cedar's validator about a rule, at the word that it names."""
    text = re.sub(r"^for policy `[^`]*`[,:] ", "", said)
    return statement.fault(text, statement.find(*_words(text)))
