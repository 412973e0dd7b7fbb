"""Lists: a page at a time, with a cursor that is complete in itself, and honestly whether there is more."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_grafana.actions.results import Answer
from kmcp_grafana.client.grafana import Grafana, Params, Row
from kmcp_runtime import cursors

Shape = Callable[[Row], Row | str]
_NOT_BOUND = ("cursor", "limit", "dry_run", "approval")
_MORE = "More exist: pass cursor, or narrow."


@dataclass(frozen=True)
class NumberedList:
    """A list that Grafana gives by page number: the parameter that sets its size, and where items and total are."""

    path: str
    params: Params = ()
    size: str = "perpage"
    items: str | None = None
    """The field of the answer that holds the items; None when the answer is the list."""
    total: str | None = None


async def read_numbered_page(
    grafana: Grafana, source: NumberedList, shape: Shape, limit: int, cursor: str | None
) -> Answer:
    """One page; a cursor tells the page, its size, and how many of its items were given already."""
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
    return answer.continues_at(lambda kept: _encode(grafana, {"p": page, "l": size, "k": skip + kept}))


def slice_list(grafana: Grafana, rows: Sequence[Row], shape: Shape, limit: int, cursor: str | None) -> Answer:
    """A part of a list that Grafana gives only whole."""
    start = _decode(grafana, cursor).get("k", 0)
    shown = rows[start : start + limit]
    more = start + len(shown) < len(rows)
    answer = Answer(items=[shape(row) for row in shown], returned=len(shown), total=len(rows), truncated=more)
    if more:
        answer.cursor = _encode(grafana, {"k": start + len(shown)})
        answer.hint = _MORE
    return answer.continues_at(lambda kept: _encode(grafana, {"k": start + kept}))


def cut_list(rows: Sequence[Row], shape: Shape, limit: int, narrow: str) -> Answer:
    """The first of a list that was asked for with one more than `limit`, and cannot be continued."""
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
    """A list that Grafana continues by a token of its own, or by how many there were before.

    `fetch` takes how many items, that token and how many there were, and answers items, token, whether more exist.
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
    """An empty list says why it may be empty."""
    if not answer.items and answer.hint is None:
        answer.hint = why
    return answer


async def _has_more(grafana: Grafana, source: NumberedList, page: int, size: int, found: int) -> bool:
    """Whether an item follows a full page: asked for alone, since the answer does not tell."""
    if found < size:
        return False
    return bool(_rows(await _fetch_page(grafana, source, page * size + 1, 1), source))


async def _fetch_page(grafana: Grafana, source: NumberedList, page: int, size: int) -> Any:
    return await grafana.read(source.path, [*source.params, (source.size, size), ("page", page)])


def _rows(answered: Any, source: NumberedList) -> list[Row]:
    rows = answered[source.items] if source.items else answered
    return list(rows or ())


def _decode(grafana: Grafana, cursor: str | None) -> dict[str, Any]:
    return cursors.decode(cursor, _bound_arguments(grafana)) if cursor else {}


def _encode(grafana: Grafana, position: dict[str, Any]) -> str:
    return cursors.encode(
        {key: value for key, value in position.items() if value is not None}, _bound_arguments(grafana)
    )


def _bound_arguments(grafana: Grafana) -> dict[str, Any]:
    """The arguments that a cursor belongs to."""
    return {
        name: value for name, value in grafana.call.arguments.items() if name not in _NOT_BOUND and value is not None
    }
