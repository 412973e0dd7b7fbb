"""AsciiDoc by its headings, blocks and inline macros; `sources.includes` has inserted the included files before."""

import re
from collections.abc import Iterator

from kmcp_querydoc.parsing.document import Document, Outline, slug

_HEADING = re.compile(r"(={1,6})\s+(\S.*?)(?:\s+=*)?$")
_ATTRIBUTE = re.compile(r":(!?[\w-]+!?):(?:\s+(.*))?$")
_ANCHOR = re.compile(r"\[\[([\w:.-]+)[^\]]*\]\]$|\[#([\w:.-]+)[^\]]*\]$")
_LANGUAGE = re.compile(r"\[source,\s*([\w+-]+)")
_BLOCK_LINE = re.compile(r"\[.*\]$")
_FENCE = re.compile(r"(-{4,}|\.{4,}|\+{4,}|`{3,}\w*)$")
_FRAME = re.compile(r"(={4,}|\*{4,}|_{4,}|--)$|\|={3,}$")
_DROPPED = re.compile(r"(?:image|include|video|toc)::|(?:ifdef|ifndef|ifeval|endif)::|//(?!/)")
_MACRO = re.compile(r"(?:link|xref|mailto):([^\s\[]*)\[([^\]]*)\]")
_URL = re.compile(r"(https?://[^\s\[\]]+)\[([^\]]+)\]")
_CROSS = re.compile(r"<<([^,>]+)(?:,\s*([^>]+))?>>")
_INLINE = re.compile(r"(?:image|icon|footnote|kbd|btn|menu):[^\s\[]*\[([^\]]*)\]")
_EMPHASIS = re.compile(r"(?<![\w*_])(\*\*?|__?)(?=\S)(.+?)(?<=\S)\1(?![\w*_])")


def parse(text: str) -> Document:
    outline = Outline()
    attributes: dict[str, str] = {}
    anchor: str | None = None
    for kind, value in _events(text.replace("\r", "").removeprefix("\ufeff").split("\n")):
        if kind == "attribute":
            _remember(attributes, value)
        elif kind == "anchor":
            anchor = value
        elif kind == "code":
            outline.text([value])
        elif kind == "heading":
            marks, shown = value.split(" ", 1)
            shown = _inline(shown, attributes)
            # Asciidoctor's default: idprefix and idseparator are both an underscore.
            outline.heading(len(marks), shown, anchor or f"_{slug(shown).replace('-', '_')}")
            anchor = None
        else:
            outline.text([_inline(value, attributes)])
    return outline.document()


def _events(lines: list[str]) -> Iterator[tuple[str, str]]:
    """What each line is: heading, attribute, anchor, code, or text."""
    number, language = 0, ""
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        if line.startswith("////") and set(line) == {"/"}:
            number = _closing(lines, number, line) + 1
        elif _FENCE.match(line):
            # A Markdown fence opens with its language and closes without it.
            end = _closing(lines, number, line.rstrip("abcdefghijklmnopqrstuvwxyz") if line[0] == "`" else line)
            yield from (("code", each) for each in (f"```{language}", *lines[number:end], "```"))
            number, language = end + 1, ""
        elif found := _ANCHOR.match(line):
            yield "anchor", found[1] or found[2]
        elif found := _LANGUAGE.match(line):
            language = found[1]
        elif found := _HEADING.match(line):
            yield "heading", f"{found[1]} {found[2]}"
        elif found := _ATTRIBUTE.match(line):
            yield "attribute", f"{found[1]} {found[2] or ''}"
        elif not (_FRAME.match(line) or _DROPPED.match(line) or _BLOCK_LINE.match(line)):
            yield "text", line.lstrip(".") if re.match(r"\.[A-Z]", line) else line


def _closing(lines: list[str], number: int, fence: str) -> int:
    """The line that closes a block; an open one reaches to the end, as renderers have it."""
    return next((at for at in range(number, len(lines)) if lines[at].rstrip() == fence), len(lines))


def _remember(attributes: dict[str, str], line: str) -> None:
    name, _, value = line.partition(" ")
    if "!" in name:
        attributes.pop(name.strip("!"), None)
    else:
        attributes[name] = value


def _inline(text: str, attributes: dict[str, str]) -> str:
    text = re.sub(r"\{([\w-]+)\}", lambda match: attributes.get(match[1], match[0]), text)
    text = _MACRO.sub(lambda match: _linked(match[1], match[2]), text)
    text = _URL.sub(lambda match: _linked(match[1], match[2]), text)
    text = _CROSS.sub(lambda match: match[2] or match[1], _INLINE.sub(r"\1", text))
    return _EMPHASIS.sub(r"\2", text)


def _linked(target: str, shown: str) -> str:
    shown = shown.rstrip("^")
    return f"{shown} ({target})" if shown and target.startswith(("http://", "https://")) else shown or target
