"""What of a chart's templates does not come out the same twice: chance, time, new keys."""

import gzip
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VARIES = re.compile(
    rb"\b(?:rand(?:AlphaNum|Alpha|Ascii|Numeric|Bytes|Int)|shuffle|uuidv4|now|ago|date|unixEpoch|gen[A-Z]\w*|bcrypt|"
    rb"htpasswd|encryptAES|getHostByName)\b"
)
_LARGEST = 100 * 1024 * 1024


def may_differ(chart: Path, values: Mapping[str, Any], set_text: str) -> bool:
    """Whether two renderings may differ. A word that only looks like such a function costs one more rendering."""
    given = json.dumps(values, default=str).encode() + set_text.encode()
    if _VARIES.search(given):
        return True
    files = (path for path in chart.rglob("*") if path.is_file()) if chart.is_dir() else (chart,)
    return any(_varies(path) for path in files)


def _varies(path: Path) -> bool:
    if path.suffix != ".tgz":
        return _VARIES.search(path.read_bytes()) is not None
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST)
    except (OSError, EOFError, zlib.error):
        return True
    # An archive within it cannot be searched as it is.
    return b".tgz" in content or _VARIES.search(content) is not None
