"""A page on its way from a source into the index."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kmcp_runtime.web import Web

Say = Callable[[str], None]


@dataclass(frozen=True)
class Page:
    """A page as its source has it."""

    path: str
    """Where it is in its source; the page's identity from build to build."""
    url: str
    format: str
    """One of `parsing.FORMATS`, or `code`."""
    text: str
    stamp: str = ""
    """What the source uses to say whether the page has changed: an entity tag or a date."""

    def digest(self) -> str:
        # The file system may hold names that are not UTF-8, which Python represents by surrogates.
        return hashlib.sha256(f"{self.url}\0{self.format}\0{self.text}".encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Kept:
    """A page that has not changed since it was indexed, known without reading it."""

    path: str


@dataclass(frozen=True)
class Skipped:
    """A page that could not be read, and why; what was indexed of it stays."""

    path: str
    why: str


@dataclass
class Workshop:
    """What sources work with."""

    web: Web
    cache: Path
    """Folder for what is kept between builds, as clones of repositories."""
    environment: Mapping[str, str]
    """Of the programs that are started."""
    say: Say = field(default=lambda text: None)
