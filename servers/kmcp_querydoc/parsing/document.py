"""What every format is read as: a title and sections, each below its headings."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """The text between two headings."""

    path: tuple[str, ...]
    """Headings that it is below, the title left out, outermost first."""
    anchor: str
    """What a link to it ends in, behind the #; empty at the beginning of a page."""
    text: str


@dataclass(frozen=True)
class Document:
    title: str
    sections: tuple[Section, ...]


class Outline:
    """Collects headings and texts in their order and makes sections of them."""

    def __init__(self) -> None:
        self.title = ""
        self._open: list[tuple[int, str]] = []
        self._anchor = ""
        self._lines: list[str] = []
        self._sections: list[Section] = []
        self._anchors: dict[str, int] = {}

    def heading(self, level: int, text: str, anchor: str | None = None) -> None:
        """A heading; the first one of the highest rank, with nothing but text before it, is the title."""
        self._close()
        text = " ".join(text.split())
        if not self.title:
            self.title = text
            self._open, self._anchor = [], ""
            return
        self._open = [*(entry for entry in self._open if entry[0] < level), (level, text)]
        self._anchor = anchor if anchor is not None else self._unique(slug(text))

    def text(self, lines: Iterable[str]) -> None:
        self._lines += lines

    def document(self, fallback: str = "") -> Document:
        self._close()
        return Document(self.title or fallback, tuple(self._sections))

    def _close(self) -> None:
        text = tidy("\n".join(self._lines))
        self._lines = []
        if text:
            self._sections.append(Section(tuple(name for _, name in self._open), self._anchor, text))

    def _unique(self, anchor: str) -> str:
        """As renderers do it: the second of a name gets -1."""
        seen = self._anchors.get(anchor, 0)
        self._anchors[anchor] = seen + 1
        return f"{anchor}-{seen}" if seen else anchor


def slug(text: str) -> str:
    """The anchor that most renderers give a heading."""
    # As GitHub does: letters and digits of any script stay, punctuation goes, blanks become hyphens.
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip())


def tidy(text: str) -> str:
    """Without blank lines at the ends, more than one in a row, or blanks at the end of lines."""
    text = re.sub(r"[ \t]+$", "", text.replace("\r", ""), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")
