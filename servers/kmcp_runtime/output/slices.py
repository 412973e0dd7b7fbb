"""Pages of a list that its backend only gives whole."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kmcp_runtime.output import cursors
from kmcp_runtime.output.results import Page

Paged = TypeVar("Paged", bound=Page[Any])


def sliced(
    kind: type[Paged],
    /,
    items: Sequence[Any],
    limit: int,
    cursor: str | None,
    bound_to: Mapping[str, Any],
    warnings: list[str] | None = None,
    hint: str | None = None,
    **fields: Any,
) -> Paged:
    """At most `limit` of the items from the cursor on; `bound_to` are the arguments that a cursor belongs to.

    The backend must give its list in an order that does not change by itself.
    """
    start = cursors.decode(cursor, bound_to, o=cursors.COUNT).get("o", 0) if cursor else 0

    def cursor_at(kept: int) -> str:
        return cursors.encode({"o": start + kept}, bound_to)

    shown = items[start : start + limit]
    more = start + limit < len(items)
    page = kind(
        items=shown,
        total=len(items),
        truncated=more,
        cursor=cursor_at(len(shown)) if more else None,
        warnings=warnings,
        hint=hint,
        **fields,
    )
    page.continues_at(cursor_at)
    return page
