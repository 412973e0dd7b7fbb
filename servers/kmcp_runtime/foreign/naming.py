"""Names of foreign tools behind the door. Pure.

`<server>_<tool>`; a server's name has no underscore, so no two servers can make the same. What has to be changed (signs
that clients do not take, more than 64 characters, a name of a tool of our own) ends in six digits of a digest of both
names. So a name depends on nothing else that is listed, and stays the same wherever and whenever it is made.
"""

import hashlib
import re
from collections.abc import Container

LONGEST = 64
_OTHERS = re.compile(r"[^A-Za-z0-9_-]")
_DIGITS = 6


def listed_name(server: str, tool: str, own: Container[str]) -> str:
    """The name of a server's tool, of at most 64 characters of A-Z a-z 0-9 _ and -; `own` are names that are taken."""
    whole = f"{server}_{tool}"
    plain = _OTHERS.sub("_", whole)
    if plain == whole and len(plain) <= LONGEST and plain not in own and not _looks_changed(plain):
        return plain
    digest = hashlib.sha256(f"{server}\0{tool}".encode(errors="replace")).hexdigest()[:_DIGITS]
    return f"{plain[: LONGEST - _DIGITS - 1]}_{digest}"


def _looks_changed(name: str) -> bool:
    """Whether it ends as changed names do: then it gets digits as well, or a server could list another's changed name.

    Of one server alone: names of two begin differently.
    """
    return re.search(r"_[0-9a-f]{6}$", name) is not None
