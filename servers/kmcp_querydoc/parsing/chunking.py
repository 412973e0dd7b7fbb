"""Sections cut into chunks of bounded size, at paragraphs where possible, never inside a short code block."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kmcp_querydoc.parsing.document import Document, Section

MOST_CHARACTERS = 1_600
"""About 400 tokens: four of them, the default answer, stay far below the budget."""
FEWEST_CHARACTERS = 120
"""An introduction that is shorter goes to the first section below it."""
_TABLE_RULE = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?")
_FENCE = re.compile(r"\s*(```+|~~~+)")


@dataclass(frozen=True)
class Chunk:
    headings: tuple[str, ...]
    anchor: str
    text: str


def cut(document: Document) -> list[Chunk]:
    """The chunks of a page, in its order."""
    found: list[Chunk] = []
    waiting = ""
    for number, section in enumerate(document.sections):
        text = f"{waiting}{section.text}"
        waiting = ""
        following = document.sections[number + 1 : number + 2]
        # A sentence alone answers nothing, but it names what the sections below are about.
        if len(text) < FEWEST_CHARACTERS and following and _is_below(following[0], section):
            waiting = f"{text}\n\n"
            continue
        found += (Chunk(section.path, section.anchor, part) for part in parts(text, MOST_CHARACTERS))
    return found


def _is_below(section: Section, other: Section) -> bool:
    return len(section.path) > len(other.path) and section.path[: len(other.path)] == other.path


def parts(text: str, most: int) -> Iterator[str]:
    """The text in pieces of at most that many characters."""
    if len(text) <= most:
        yield text
        return
    piece: list[str] = []
    size = 0
    # The 2 is the blank line that joins blocks.
    for block in _blocks(text):
        for short in _shortened(block, most):
            if piece and size + len(short) + 2 > most:
                yield "\n\n".join(piece)
                piece, size = [], 0
            piece.append(short)
            size += len(short) + 2
    if piece:
        yield "\n\n".join(piece)


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and whole code blocks."""
    block: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        # CommonMark: a fence closes with at least as many of the same characters.
        elif mark and mark[1].startswith(fence):
            fence = ""
        if not line.strip() and not fence:
            if block:
                yield "\n".join(block)
            block = []
        else:
            block.append(line)
    if block:
        yield "\n".join(block)


def _shortened(block: str, most: int) -> Iterator[str]:
    """A block by itself, or by lines when it is too long; code stays code in each part, and a table keeps its head."""
    if len(block) <= most:
        yield block
        return
    lines = block.split("\n")
    mark = _FENCE.match(lines[0])
    opening, closing = (lines[0], mark[1]) if mark else ("", "")
    if mark:
        lines = [line for number, line in enumerate(lines) if number and line.strip() != closing]
    elif len(lines) > 2 and _TABLE_RULE.fullmatch(lines[1].strip()) and len(lines[0]) < most // 4:
        opening, lines = f"{lines[0]}\n{lines[1]}", lines[2:]
    part: list[str] = []
    for line in (short for long in lines for short in _pieces(long, most // 2)):
        if part and sum(map(len, part)) + len(part) + len(line) > most - len(opening) - len(closing) - 4:
            yield _wrapped(part, opening, closing)
            part = []
        part.append(line)
    if part:
        yield _wrapped(part, opening, closing)


def _wrapped(lines: list[str], opening: str, closing: str) -> str:
    return "\n".join([*([opening] if opening else []), *lines, *([closing] if closing else [])])


def _pieces(line: str, most: int) -> Iterator[str]:
    """A line of a file without line ends, at its blanks."""
    while len(line) > most:
        at = line.rfind(" ", 1, most)
        at = at if at > 0 else most
        yield line[:at]
        line = line[at:].lstrip()
    yield line
