"""Putting a view's document together: the shared page, style and script, and the view's own script, in one text.

The document asks nothing of any other address. Its policy allows only the script and the style that are in it, by their
digests, so a text of others that became markup could still run nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import lru_cache
from html import escape
from importlib.resources import files
from string import Template

FOLDER = "views"
"""Of a server's package: a script for each view."""


def exists(package: str, view: str) -> bool:
    return files(package).joinpath(FOLDER, f"{view}.js").is_file()


@lru_cache(maxsize=64)
def document(package: str, view: str, title: str) -> str:
    """The HTML of a view. Errors: FileNotFoundError where the package has no such script."""
    own = files(package).joinpath(FOLDER, f"{view}.js").read_text(encoding="utf-8")
    style, script = _shared("view.css"), f'"use strict";\n{_shared("host.js")}\n{own}'
    page = Template(_shared("page.html"))
    return page.substitute(
        title=escape(title), style=style, script=script, style_digest=_digest(style), script_digest=_digest(script)
    )


def _shared(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names a script or a style that is in the page."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
