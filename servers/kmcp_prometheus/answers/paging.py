"""Pages of a list that is whole in memory."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kmcp_runtime import Page, cursors

Listing = TypeVar("Listing", bound=Page[Any])


def page(
    kind: type[Listing], found: Sequence[Any], limit: int, cursor: str | None, arguments: Mapping[str, Any], **more: Any
) -> Listing:
    """The items from where the cursor stands; `arguments` are what a cursor belongs to, `more` the other fields."""
    start = int(cursors.decode(cursor, arguments)["o"]) if cursor else 0
    shown = list(found[start : start + limit])
    left = start + len(shown) < len(found)

    def at(kept: int) -> str:
        return cursors.encode({"o": start + kept}, arguments)

    result = kind(items=shown, total=len(found), truncated=left, cursor=at(len(shown)) if left else None, **more)
    result.continues_at(at)
    return result
