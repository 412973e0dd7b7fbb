"""Documents of every format become titled sections (`document`), and those become chunks of bounded size
(`chunking`)."""

from collections.abc import Callable, Mapping

from kmcp_querydoc.parsing import asciidoc, html, markdown, restructured
from kmcp_querydoc.parsing.document import Document

FORMATS: Mapping[str, Callable[[str], Document]] = {
    "markdown": markdown.parse,
    "restructured": restructured.parse,
    "asciidoc": asciidoc.parse,
    "html": html.parse,
}
SUFFIXES: Mapping[str, str] = {
    ".md": "markdown",
    ".mdx": "markdown",
    ".markdown": "markdown",
    ".rst": "restructured",
    ".adoc": "asciidoc",
    ".asciidoc": "asciidoc",
    ".html": "html",
    ".htm": "html",
}
"""The format of a file by the end of its name."""

REVISION = 1
"""Counts up when any parser or the cutting changes, so that an index is made anew where its pages are unchanged."""
