"""reStructuredText by its sections, directives and roles.

docutils would be the library, but it drops what is inside a directive that it does not know, and every Sphinx project
has some. Here an unknown directive keeps its words.
"""

import re
from collections.abc import Iterator

from kmcp_querydoc.parsing.document import Document, Outline

_ADORNMENT = re.compile(r"([=\-~^\"'`#*+.:_<>])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"(\s*)\.\.\s+(?:\|([^|]+)\|\s+)?([\w:+.-]+)::\s*(.*)$")
_TARGET = re.compile(r"\s*\.\.\s+_([^:]+):\s*(\S*)\s*$")
_COMMENT = re.compile(r"\s*\.\.(?:\s|$)")
_OPTION = re.compile(r"\s+:[\w-]+:(?:\s|$)")
_ROLE = re.compile(r":[\w:+.-]+:`([^`<]+?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<([^`>]+)>`__?")
_REFERENCE = re.compile(r"`([^`]+)`__?(?!\w)")
_LITERAL = re.compile(r"``([^`]+)``")
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*?)(?=\S)([^*\n]+?)(?<=\S)\1(?![\w*])")
_SUBSTITUTION = re.compile(r"\|([A-Z][\w -]*)\|_{0,2}")
# What rendered pages never show, such as a warning that they are not rendered.
_NOT_HTML = re.compile(r"not\b.*\bhtml\b")
_DROPPED = {
    "toctree",
    "image",
    "figure",
    "contents",
    "index",
    "meta",
    "raw",
    "highlight",
    "role",
    "default-role",
    "include",
    "sectnum",
    "rst-class",
    "class",
    "openapi",
    "ifconfig",
    "graphviz",
    "mermaid",
    "replace",
    "unicode",
}
_CODE = {"code-block", "code", "sourcecode", "parsed-literal", "literalinclude", "prompt", "command-output"}
_SPOKEN = {
    "note",
    "warning",
    "tip",
    "important",
    "attention",
    "danger",
    "caution",
    "hint",
    "error",
    "seealso",
    "deprecated",
    "versionadded",
    "versionchanged",
}
_SILENT = {"tabs", "only", "container", "list-table", "csv-table", "table", "glossary"}


def parse(text: str) -> Document:
    lines = text.expandtabs(8).replace("\r", "").removeprefix("\ufeff").split("\n")
    outline = Outline()
    # The rank of an adornment follows from the order in which each first appears in a file.
    ranks: list[str] = []
    label: str | None = None
    body: list[str] = []
    number = 0
    while number < len(lines):
        title = _title(lines, number)
        if title is None:
            target = _TARGET.match(lines[number])
            label = target[1].strip("`") if target and not target[2] else label if not lines[number].strip() else None
            body.append(lines[number])
            number += 1
            continue
        style, shown, number = title
        outline.text(_converted(body))
        body = []
        if style not in ranks:
            ranks.append(style)
        outline.heading(ranks.index(style) + 1, inline(shown), label)
        label = None
    outline.text(_converted(body))
    return outline.document()


def _title(lines: list[str], number: int) -> tuple[str, str, int] | None:
    """Style, text and the line after a section title that begins here."""
    line = lines[number]
    below = lines[number + 1] if number + 1 < len(lines) else ""
    if _ADORNMENT.match(line) and number + 2 < len(lines) and below.strip() and _same(line, lines[number + 2]):
        return f"over{line[0]}", below.strip(), number + 3
    blank_before = number == 0 or not lines[number - 1].strip() or _COMMENT.match(lines[number - 1])
    may_be_title = line.strip() and not line[0].isspace() and blank_before and not _ADORNMENT.match(line)
    if may_be_title and _ADORNMENT.match(below) and len(below.rstrip()) >= min(len(line.rstrip()), 4):
        return below[0], line.strip(), number + 2
    return None


def _same(one: str, other: str) -> bool:
    return bool(_ADORNMENT.match(other)) and one[0] == other[0]


def _converted(lines: list[str]) -> list[str]:
    return list(_blocks(lines))


def _blocks(lines: list[str]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        line = lines[number]
        directive = _DIRECTIVE.match(line)
        if directive:
            block, number = _indented(lines, number + 1, len(directive[1]))
            yield from _directive(directive, block)
        elif _TARGET.match(line):
            number += 1
        elif _COMMENT.match(line):
            _, number = _indented(lines, number + 1, len(line) - len(line.lstrip()))
        # `::` at the end of a line announces a literal block.
        elif line.rstrip().endswith("::"):
            block, number = _indented(lines, number + 1, len(line) - len(line.lstrip()))
            shown = line.rstrip().removesuffix("::")
            yield inline(f"{shown}:" if shown.strip() else "")
            yield from _fenced(block, "")
        else:
            yield inline(line)
            number += 1


def _indented(lines: list[str], number: int, indent: int) -> tuple[list[str], int]:
    """The block below a line of that indent, without its own indent, and the line after it."""
    end = number
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    block = lines[number:end]
    while block and not block[-1].strip():
        block.pop()
        end -= 1
    margin = min((len(line) - len(line.lstrip()) for line in block if line.strip()), default=0)
    return [line[margin:] for line in block], end


def _directive(directive: re.Match[str], block: list[str]) -> Iterator[str]:
    name, argument = directive[3], directive[4].strip()
    if name in _DROPPED or directive[2] or (name == "only" and _NOT_HTML.match(argument)):
        return
    content = _without_options(block)
    if name in _CODE:
        yield from _fenced(content, "" if name == "literalinclude" else argument)
        return
    words = "" if name in _SILENT else argument
    if name in _SPOKEN:
        words = f"{name.capitalize()}: {argument}".rstrip()
    yield ""
    if words:
        yield inline(words)
    # The options of a directive that nobody knows may be all that it says: a chart's values, for instance.
    yield from _converted(block if name not in _SILENT | _SPOKEN and not content else content)
    yield ""


def _without_options(block: list[str]) -> list[str]:
    number = 0
    while number < len(block) and _OPTION.match(f" {block[number]}"):
        number += 1
        while number < len(block) and block[number].startswith("  "):
            number += 1
    return block[number:]


def _fenced(block: list[str], language: str) -> Iterator[str]:
    while block and not block[0].strip():
        block = block[1:]
    if block:
        yield from ("", f"```{language.split()[0] if language else ''}", *block, "```", "")


def inline(text: str) -> str:
    """Roles, links and emphasis as the words that a reader sees."""
    text = _ROLE.sub(lambda match: match[1].strip().lstrip("~!"), text)
    text = _LINK.sub(lambda match: _linked(match[1], match[2]), text)
    text = _LITERAL.sub(r"`\1`", text)
    text = _REFERENCE.sub(r"\1", text)
    text = _SUBSTITUTION.sub(r"\1", text)
    return _EMPHASIS.sub(r"\2", text)


def _linked(shown: str, target: str) -> str:
    return f"{shown} ({target})" if target.startswith(("http://", "https://")) else shown
