"""Markdown that the generated pages are made of."""

from collections.abc import Iterable, Sequence

NOTE = "<!-- Generated from the code by `make catalog`; do not edit. -->"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """A text on one line; a bar would end the cell, even inside of code."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    return ", ".join(code(text) for text in texts)


def page(*parts: str) -> str:
    """Parts, a blank line between each; empty ones are left out."""
    return "\n\n".join((NOTE, *(part for part in parts if part))) + "\n"
