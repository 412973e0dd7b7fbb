"""What a secret looks like when nothing else says that it is one: token formats, and places in text.

The table is `shapes.toml`. Expressions are RE2's, over bytes, so the time is linear whatever stands in the text.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import re2


@dataclass(frozen=True)
class Shape:
    """A format, with a text in which it hides something and one that it leaves alone."""

    name: str
    expression: str
    hides: str
    shows: str = "nothing to hide"
    looks: Literal["", "flag", "odd", "made", "random"] = ""
    """Of a `part`: what a value must look like (`values`), since the same place may hold a word or a number."""
    value: str = ""
    """Of a `part`: what is hidden, behind a match of the expression, which then has no groups."""
    needs: tuple[bytes, ...] = ()
    """Lower-case words of which one is part of every match: looking for fixed words is far faster than matching."""


@cache
def table(kind: Literal["whole", "part"]) -> tuple[Shape, ...]:
    """All shapes that are hidden `whole`, or of which a `part` is."""
    rows = tomllib.loads(files(__package__).joinpath("shapes.toml").read_text())[kind]
    return tuple(Shape(**{**row, "needs": tuple(word.encode() for word in row.get("needs", ()))}) for row in rows)


@cache
def whole() -> Any:
    """All whole shapes as one expression."""
    return compiled("|".join(f"(?:{shape.expression})" for shape in table("whole")))


@cache
def _parts() -> tuple[tuple[Shape, Any], ...]:
    return tuple((shape, compiled(shape.expression)) for shape in table("part"))


@cache
def _needed() -> tuple[Any, tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """All words that shapes need, looked for in one pass; the shapes that need each, and those that need none."""
    words = sorted({word for shape in table("part") for word in shape.needs})
    options = _options()
    options.case_sensitive, options.literal = False, True
    found = re2.Set.SearchSet(options)
    for word in words:
        found.Add(word)
    found.Compile()
    wanting = tuple(tuple(n for n, shape in enumerate(table("part")) if word in shape.needs) for word in words)
    return found, wanting, tuple(n for n, shape in enumerate(table("part")) if not shape.needs)


def parts_in(data: bytes) -> Iterator[tuple[Shape, Any]]:
    """The part shapes that can match in this text."""
    found, wanting, always = _needed()
    there = {*always, *(shape for word in found.Match(data) or () for shape in wanting[word])}
    parts = _parts()
    return (parts[number] for number in sorted(there))


def compiled(expression: str) -> Any:
    """An expression over bytes; every byte is a character, so no text is invalid."""
    return re2.compile(expression.encode(), _options())


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    # A large alternation over 1 MB may overflow the default cache of the automaton, which then is slow.
    options.max_mem = 64 << 20
    return options
