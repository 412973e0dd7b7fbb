"""Configuration of the documentation server."""

import os
from pathlib import Path

from kmcp_runtime import Settings, setting


class QuerydocSettings(Settings):
    facts = "kmcp_querydoc.stock:facts"

    docs_index: str = setting(
        "",
        "Index made by `kmcp-suite docs build` (unset: at its default place, or else the suite's own pages)",
    )
    docs_rerank: bool = setting(False, "Order the best matches by meaning too (needs the extra rerank)")


def default_index() -> Path:
    """Where `kmcp-suite docs` keeps an index and the server looks for it: KMCP_DOCS_INDEX, or the data of the user."""
    named = os.environ.get("KMCP_DOCS_INDEX")
    if named:
        return home_path(named)
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return home_path(base) / "kmcp-suite" / "docs.sqlite"


def home_path(text: str) -> Path:
    """With the user's home for a leading ~; unchanged for a user without a home, as in some containers."""
    # Path.expanduser raises RuntimeError where there is no home; os.path.expanduser leaves the text as it is.
    return Path(os.path.expanduser(text))
