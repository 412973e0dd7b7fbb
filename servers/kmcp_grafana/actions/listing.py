"""Lists, a page at a time: a cursor holds all that the next page needs, `truncated` is true only when more exist."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana, Params, Row
from kmcp_runtime import cursors

Shape = Callable[[Row], Row | str]
# A caller may go on with another limit; all other arguments must stay as they were when the cursor was issued.
_NOT_BOUND = ("cursor", "limit", "dry_run", "approval")
_PARTS: dict[str, cursors.Part] = {
    "p": range(1, 1 << 31),
    "l": cursors.SIZE,
    "k": cursors.COUNT,
    "b": cursors.COUNT,
    "t": str,
}
_MORE = "More exist: pass cursor, or narrow."


@dataclass(frozen=True)
class NumberedList:
    """A list that Grafana pages by number: the parameter for the size of a page, and where items and total are."""

    path: str
    params: Params = ()
    size: str = "perpage"
    items: str | None = None
    """The field of the answer that holds the items; None when the answer is the list."""
    total: str | None = None


async def read_numbered_page(
    grafana: Grafana, source: NumberedList, shape: Shape, limit: int, cursor: str | None
) -> Answer:
    """One page; a cursor holds its number, its size, and how many of its items were already given."""
    at = _decode(grafana, cursor)
    page, size, skip = at.get("p", 1), at.get("l", limit), at.get("k", 0)
    answered = await _fetch_page(grafana, source, page, size)
    rows = _rows(answered, source)
    total = answered.get(source.total) if source.total else None
    more = page * size < total if total is not None else await _has_more(grafana, source, page, size, len(rows))
    answer = Answer(items=[shape(row) for row in rows[skip:]], returned=len(rows) - skip, total=total, truncated=more)
    if more:
        answer.cursor = _encode(grafana, {"p": page + 1, "l": size})
        answer.hint = _MORE
    # When the token budget cuts the page, the cursor must point into it, and not at the next page.
    return answer.continues_at(lambda kept: _encode(grafana, {"p": page, "l": size, "k": skip + kept}))


def slice_list(grafana: Grafana, rows: Sequence[Row], shape: Shape, limit: int, cursor: str | None) -> Answer:
    """A part of a list that Grafana only gives whole."""
    start = _decode(grafana, cursor).get("k", 0)
    shown = rows[start : start + limit]
    more = start + len(shown) < len(rows)
    answer = Answer(items=[shape(row) for row in shown], returned=len(shown), total=len(rows), truncated=more)
    if more:
        answer.cursor = _encode(grafana, {"k": start + len(shown)})
        answer.hint = _MORE
    return answer.continues_at(lambda kept: _encode(grafana, {"k": start + kept}))


def cut_list(rows: Sequence[Row], shape: Shape, limit: int, narrow: str) -> Answer:
    """The first items of a list that cannot be continued; `rows` was asked for with one more than `limit`."""
    more = len(rows) > limit
    shown = [shape(row) for row in rows[:limit]]
    return Answer(items=shown, returned=len(shown), truncated=more, hint=f"More exist: {narrow}." if more else None)


async def read_continued_page(
    grafana: Grafana,
    fetch: Callable[[int, str | None, int], Awaitable[tuple[list[Row], str | None, bool]]],
    shape: Shape,
    limit: int,
    cursor: str | None,
) -> Answer:
    """A list that Grafana continues by its own token, or by the number of items before.

    `fetch` takes the number of items wanted, the token and the number of items before; it answers items, the next token
    and whether more exist.
    """
    at = _decode(grafana, cursor)
    size, token, before, skip = at.get("l", limit), at.get("t"), at.get("b", 0), at.get("k", 0)
    rows, following, more = await fetch(size, token, before)
    answer = Answer(items=[shape(row) for row in rows[skip:]], returned=len(rows) - skip, truncated=more)
    if more:
        answer.cursor = _encode(grafana, {"l": size, "t": following, "b": before + len(rows)})
        answer.hint = _MORE
    return answer.continues_at(lambda kept: _encode(grafana, {"l": size, "t": token, "b": before, "k": skip + kept}))


def explain_empty(answer: Answer, why: str) -> Answer:
    """Add to an empty list why it may be empty."""
    if not answer.items and answer.hint is None:
        answer.hint = why
    return answer


async def _has_more(grafana: Grafana, source: NumberedList, page: int, size: int, found: int) -> bool:
    """Whether an item follows a full page."""
    if found < size:
        return False
    # These answers hold no total: the item after the page is asked for alone, as a page of size one.
    return bool(_rows(await _fetch_page(grafana, source, page * size + 1, 1), source))


async def _fetch_page(grafana: Grafana, source: NumberedList, page: int, size: int) -> Any:
    return await grafana.read(source.path, [*source.params, (source.size, size), ("page", page)])


def _rows(answered: Any, source: NumberedList) -> list[Row]:
    rows = answered[source.items] if source.items else answered
    return list(rows or ())


def _decode(grafana: Grafana, cursor: str | None) -> dict[str, Any]:
    return cursors.decode(cursor, _bound_arguments(grafana), **_PARTS) if cursor else {}


def _encode(grafana: Grafana, position: dict[str, Any]) -> str:
    return cursors.encode(
        {key: value for key, value in position.items() if value is not None}, _bound_arguments(grafana)
    )


def _bound_arguments(grafana: Grafana) -> dict[str, Any]:
    """The arguments that a cursor was issued for."""
    return {
        name: value for name, value in grafana.call.arguments.items() if name not in _NOT_BOUND and value is not None
    }
