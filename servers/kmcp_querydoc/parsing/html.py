"""HTML by the standard library's parser: what is in `main` or `article`, without what surrounds it on every page."""

import re
from html.parser import HTMLParser

from kmcp_querydoc.parsing.document import Document, Outline

_AROUND = {
    "nav",
    "header",
    "footer",
    "aside",
    "script",
    "style",
    "noscript",
    "form",
    "button",
    "svg",
    "template",
    "iframe",
    "select",
    "dialog",
}
_BREAKS = {"p", "div", "section", "ul", "ol", "dl", "dd", "dt", "table", "tr", "blockquote", "br", "hr", "figure"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_VOID = {"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"}
# What generators put behind a heading to link to it.
_PERMALINK = re.compile(r"\s*(?:¶|#|🔗|Permalink(?: to this \w+)?|Link to this heading)\s*$")


def parse(text: str) -> Document:
    whole = _Reader(text)
    whole.feed(text)
    whole.close()
    return whole.outline.document(whole.title.strip())


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.outline = Outline()
        self.title = ""
        # A page without `main` and `article` is read whole.
        self._wanted = next((tag for tag in ("main", "article") if re.search(rf"<{tag}[\s>]", text, re.IGNORECASE)), "")
        self._inside = 0 if self._wanted else 1
        self._around = 0
        self._code = 0
        self._in_title = False
        self._heading: list[str] | None = None
        self._anchor: str | None = None
        self._line: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag in _AROUND:
            self._around += 1
        elif tag == "title":
            self._in_title = True
        elif tag == self._wanted:
            self._inside += 1
        if self._reads:
            self._begin(tag, found)

    def _begin(self, tag: str, found: dict[str, str | None]) -> None:
        if tag in _HEADINGS:
            self._flush()
            self._heading, self._anchor = [], found.get("id")
        elif tag == "pre":
            self._flush()
            self._code += 1
            self.outline.text(["", "```"])
        elif tag == "li":
            self._flush()
            self._line.append("- ")
        elif tag == "a" and self._heading is not None and not self._anchor:
            self._anchor = found.get("id") or found.get("name")
        elif tag == "code" and not self._code and self._heading is None:
            self._line.append("`")
        elif tag in _BREAKS and not self._code:
            self._flush()

    def handle_endtag(self, tag: str) -> None:
        if tag in _AROUND and tag not in _VOID:
            # Real pages close tags that they never opened.
            self._around = max(self._around - 1, 0)
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS and self._heading is not None:
            shown = _PERMALINK.sub("", "".join(self._heading))
            self._heading = None
            if shown.strip():
                self.outline.heading(int(tag[1]), shown, self._anchor)
        elif tag == "pre" and self._code:
            self._flush()
            self._code -= 1
            self.outline.text(["```", ""])
        elif tag == "code" and self._reads and not self._code and self._heading is None:
            self._line.append("`")
        elif tag in ("td", "th") and self._reads:
            self._line.append(" | ")
        elif tag in _BREAKS and self._reads and not self._code:
            self._flush(blank=tag in ("p", "ul", "ol", "table", "dl"))
        if tag == self._wanted:
            self._flush()
            self._inside = max(self._inside - 1, 0)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._heading is not None and self._reads:
            self._heading.append(data)
        elif self._reads:
            self._line.append(data if self._code else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        super().close()
        self._flush()

    @property
    def _reads(self) -> bool:
        return self._inside > 0 and self._around == 0

    def _flush(self, blank: bool = False) -> None:
        text = "".join(self._line)
        self._line = []
        if self._code:
            # Blanks in front of code lines carry meaning.
            self.outline.text(text.strip("\n").split("\n"))
        elif text.strip(" |\n-"):
            self.outline.text([text.strip().strip("|").strip()])
        if blank:
            self.outline.text([""])
