"""Pages of a list that is held in memory as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kmcp_runtime import Page, cursors

Listing = TypeVar("Listing", bound=Page[Any])


def page(
    kind: type[Listing], found: Sequence[Any], limit: int, cursor: str | None, arguments: Mapping[str, Any], **more: Any
) -> Listing:
    """The items from the cursor on; a cursor is valid for the same `arguments` only, `more` are the other fields."""
    start = cursors.decode(cursor, arguments, o=cursors.COUNT).get("o", 0) if cursor else 0
    shown = list(found[start : start + limit])
    left = start + len(shown) < len(found)

    def at(kept: int) -> str:
        return cursors.encode({"o": start + kept}, arguments)

    result = kind(items=shown, total=len(found), truncated=left, cursor=at(len(shown)) if left else None, **more)
    # The budget may show fewer items than fit on the page; the cursor must then begin where it cut.
    result.continues_at(at)
    return result
