"""What a registry wants before it answers: the header `WWW-Authenticate`, which may be anything."""

import re

# `\b`: else each letter of a long word would be tried as its beginning.
_PART = re.compile(r'\b(\w+)="([^"]*)"')
_LONGEST = 4096


def parse(header: str) -> tuple[str, dict[str, str]]:
    """The scheme in small letters, and what it names: `bearer`, `{"realm": …, "service": …}`."""
    scheme, _, parts = header[:_LONGEST].partition(" ")
    return scheme.lower(), dict(_PART.findall(parts))
