"""Markdown, as CommonMark reads it: markdown-it finds headings and code, the text itself stays as written."""

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from kmcp_querydoc.parsing.document import Document, Outline

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_FRONT_TITLE = re.compile(r"^(?:title|nav_title):[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_GIVEN_ANCHOR = re.compile(r"\s*\{#([\w-]+)[^}]*\}\s*$")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\(<?([^)\s>]*)>?(?:\s+[\"'][^)]*)?\)")
_TAG = re.compile(r"</?(?:a|br|p|div|span|img|center|details|summary|sub|sup|b|i|u|small)\b[^>]*>", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*|__|\*)(?=\S)(.+?)(?<=\S)\1(?![\w*])")


def parse(text: str) -> Document:
    text, title = _without_front_matter(text.replace("\r\n", "\n").removeprefix("\ufeff"))
    lines = text.split("\n")
    # Without the inline rules, which take most of the time: what is inside a paragraph stays as written.
    tokens = MarkdownIt("commonmark").disable("inline").parse(text)
    code = {line for token in tokens if token.type in ("fence", "code_block") for line in _lines_of(token)}
    outline = Outline()
    if title:
        outline.heading(0, title)
    at = 0
    for start, end, level, heading in _headings(tokens):
        outline.text(_cleaned(lines, at, start, code))
        shown, anchor = _heading(heading)
        # Generators repeat the title of the front matter as the first heading.
        if not (title and level == 1 and shown.lower() == outline.title.lower()):
            outline.heading(level, shown, anchor)
        at = end
    outline.text(_cleaned(lines, at, len(lines), code))
    return outline.document()


def _without_front_matter(text: str) -> tuple[str, str]:
    found = _FRONT_MATTER.match(text)
    if not found:
        return text, ""
    title = _FRONT_TITLE.search(found[1])
    return text[found.end() :], title[1] if title else ""


def _headings(tokens: list[Token]) -> Iterator[tuple[int, int, int, str]]:
    """First line, line after it, rank and text of every heading that is not inside a list or quotation."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            yield token.map[0], token.map[1], int(token.tag[1]), inline.content


def _heading(text: str) -> tuple[str, str | None]:
    given = _GIVEN_ANCHOR.search(text)
    shown = _GIVEN_ANCHOR.sub("", text)
    return without_markup(_COMMENT.sub("", shown)).replace("`", "").strip(), given[1] if given else None


def _lines_of(token: Token) -> range:
    return range(token.map[0], token.map[1]) if token.map else range(0)


def _cleaned(lines: list[str], start: int, end: int, code: set[int]) -> list[str]:
    """Code as it is; of the rest images, comments, links to other pages and tags are left out."""
    found: list[str] = []
    prose: list[str] = []
    for number in range(start, end):
        if number in code:
            found += _prose(prose)
            prose = []
            found.append(lines[number])
        else:
            prose.append(lines[number])
    return found + _prose(prose)


def _prose(lines: list[str]) -> list[str]:
    return without_markup(_COMMENT.sub("", "\n".join(lines))).split("\n") if lines else []


def without_markup(text: str) -> str:
    text = _LINK.sub(_link, _IMAGE.sub(r"\1", text))
    return _EMPHASIS.sub(r"\2", _TAG.sub("", text))


def _link(match: re.Match[str]) -> str:
    """Links to elsewhere keep their address; those within the documentation would lead nowhere."""
    shown, target = match[1], match[2]
    return f"{shown} ({target})" if target.startswith(("http://", "https://")) and target != shown else shown
