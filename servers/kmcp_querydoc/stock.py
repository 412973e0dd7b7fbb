"""What the index says of the list of tools, known before anything of the engine is loaded."""

import os
from collections.abc import Mapping
from typing import Any


def facts(given: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Without an index there are the suite's own pages, which hold no code; what one holds, only SQLite can tell."""
    if "docs_index" in given:
        return None
    base = environment.get("XDG_DATA_HOME") or os.path.join("~", ".local", "share")
    index = os.path.join(os.path.expanduser(base), "kmcp-suite", "docs.sqlite")
    return None if os.path.isfile(index) else {}
