"""Where a list is cut: the API server sends one page at a time, and a cut inside a page can be continued exactly."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kmcp_runtime import warnings
from kmcp_runtime.errors import ToolFailure, bad_argument, too_large, unavailable
from kmcp_runtime.kube import selectors
from kmcp_runtime.kube.api import JSON, KubeApi
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import EXPIRED, StatusFailure
from kmcp_runtime.looks import Looked
from kmcp_runtime.output import cursors

Form = Literal["table", "objects", "names"]
RowsWith = Literal["None", "Metadata", "Object"]
# An aggregated or a virtual API server may know neither form: without the plain one it would refuse (HTTP 406).
FORMS: Mapping[Form, str] = {
    "table": f"application/json;as=Table;v=v1;g=meta.k8s.io,{JSON}",
    "names": f"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}",
    "objects": JSON,
}
"""The Accept header that asks for a list in each form."""
_PLAIN_COLUMNS: list[Mapping[str, Any]] = [{"name": "Name"}, {"name": "Created At"}]
"""Of a kind whose server makes no tables: those that the API server gives a kind without columns of its own."""

MOST_LOOKED_AT = 5_000
"""Of a list that is looked through to find something."""
_MOST_ITEMS = 200_000
"""Of a list that is read whole: what fits into the memory of a server."""


@dataclass(frozen=True)
class Query:
    """What to list. `namespace` None means all of them (or none, for cluster-scoped kinds)."""

    kind: Kind
    namespace: str | None = None
    selector: str | None = None
    field_selector: str | None = None
    limit: int = 100
    form: Form = "table"
    rows_with: RowsWith = "None"
    """What comes with the rows of a table. Metadata takes ten times the bytes, so ask only for what is shown."""


@dataclass
class ListPage:
    """One page as the server sent it, and where it ends."""

    items: list[Any]
    """Rows (`cells`, `object`), objects, or partial objects."""
    columns: list[Mapping[str, Any]] = field(default_factory=list)
    remaining: int | None = None
    """How many come after this page, when the server says."""
    resource_version: str = ""
    next_token: str | None = None
    token: str | None = None
    skipped: int = 0
    """Items of this page that an earlier answer has already shown."""
    before: int = 0
    """Items of earlier pages."""
    size: int = 1
    """The limit that it was read with: its cursors keep it, since another one would move the end of the page."""

    @property
    def total(self) -> int | None:
        shown = self.before + self.skipped + len(self.items)
        if self.next_token is None:
            return shown
        # The API server gives no remaining count together with a selector.
        return None if self.remaining is None else shown + self.remaining

    def cursor_at(self, arguments: Mapping[str, Any]) -> Callable[[int], str]:
        """A function from n to the cursor that continues after the first n items of this page."""

        def at(kept: int) -> str:
            offset = self.skipped + kept
            # At the end of the page its own token is better: it needs no items to be skipped.
            if offset >= self.skipped + len(self.items) and self.next_token is not None:
                return cursors.encode({"c": self.next_token, "l": self.size, "b": self.before + offset}, arguments)
            position = {
                "c": self.token,
                "v": self.resource_version,
                "l": self.size,
                "o": offset,
                "b": self.before,
            }
            return cursors.encode({key: value for key, value in position.items() if value}, arguments)

        return at

    def cursor(self, arguments: Mapping[str, Any]) -> str | None:
        return self.cursor_at(arguments)(len(self.items)) if self.next_token is not None else None


def _position_in(cursor: str | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a cursor of a page holds; `l` is the size of the pages that it goes on with."""
    if not cursor:
        return {}
    return cursors.decode(cursor, arguments, c=str, v=str, l=cursors.SIZE, o=cursors.COUNT, b=cursors.COUNT)


async def fetch(api: KubeApi, query: Query, cursor: str | None, arguments: Mapping[str, Any]) -> ListPage:
    """One page; `arguments` are what the cursor is bound to. It goes on with the limit that it was made with."""
    position = _position_in(cursor, arguments)
    query = replace(query, limit=position.get("l", query.limit))
    parameters = _parameters(query, position)
    try:
        answer = await api.get(query.kind.path(query.namespace), parameters, FORMS[query.form])
    except StatusFailure as failure:
        raise _explained(failure, query, bool(cursor)) from None
    return _page(answer, query, position)


async def fetch_all(api: KubeApi, query: Query, most: float = math.inf) -> Looked[Any]:
    """Every item, `query.limit` at a time; or the first pages, with `most` items at least, which are not complete.

    Items are as in `ListPage`. A list that changes meanwhile is read as it was at the first page.
    """
    items: list[Any] = []
    async for page in walk(api, query):
        items += page.items
        if page.next_token is None:
            break
        if len(items) >= _MOST_ITEMS:
            raise too_large(f"there are more than {_MOST_ITEMS:,} {query.kind.plural}", "ask for less: a namespace")
        if len(items) >= most:
            return Looked(items, of=query.kind.plural, complete=False)
    return Looked(items, of=query.kind.plural)


async def walk(api: KubeApi, query: Query) -> AsyncIterator[ListPage]:
    """Every page, one after another."""
    cursor: str | None = None
    while True:
        page = await fetch(api, query, cursor, {})
        # A server that goes round in circles would be asked until the deadline.
        if page.next_token is not None and page.next_token == page.token:
            raise unavailable(f"the list of {query.kind.plural} does not end: it repeats its continue token")
        yield page
        cursor = page.cursor({})
        if cursor is None:
            return


async def look(api: KubeApi, query: Query, most: float = MOST_LOOKED_AT) -> Looked[Any]:
    """`fetch_all` for what is looked through to find something: the answer says so where that is not all of it."""
    found = await fetch_all(api, query, most)
    if not found.complete:
        warnings.hear(f"{found.limits}: what is not found may exist")
    return found


def _parameters(query: Query, position: Mapping[str, Any]) -> list[tuple[str, str]]:
    parameters = [("limit", str(query.limit))]
    if position.get("c"):
        parameters.append(("continue", position["c"]))
    elif position.get("v"):
        # The same page again, as it was: changes since then would shift the items that are left.
        parameters += [("resourceVersion", position["v"]), ("resourceVersionMatch", "Exact")]
    if query.selector:
        parameters.append(("labelSelector", query.selector))
    if query.field_selector:
        parameters.append(("fieldSelector", query.field_selector))
    if query.form == "table":
        parameters.append(("includeObject", query.rows_with))
    return parameters


def _page(answer: Mapping[str, Any], query: Query, position: Mapping[str, Any]) -> ListPage:
    metadata = answer.get("metadata") or {}
    items, columns = list(answer.get("items") or ()), list[Mapping[str, Any]]()
    if query.form == "table":
        items, columns = tabulated(answer, items)
    offset = int(position.get("o", 0))
    return ListPage(
        items=items[offset:],
        columns=columns,
        remaining=metadata.get("remainingItemCount"),
        resource_version=str(metadata.get("resourceVersion", "")),
        next_token=metadata.get("continue") or None,
        token=position.get("c"),
        skipped=offset,
        before=int(position.get("b", 0)),
        size=query.limit,
    )


def tabulated(answer: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The rows and columns of a table; where the server made none, names and times of the objects that it sent."""
    if answer.get("kind") == "Table":
        return list(answer.get("rows") or ()), list(answer.get("columnDefinitions") or ())
    of = [(each, each.get("metadata") or {}) for each in found]
    rows = [{"cells": [about.get("name"), about.get("creationTimestamp")], "object": each} for each, about in of]
    return rows, [*_PLAIN_COLUMNS]


def malformed(failure: StatusFailure, selector: str | None, field_selector: str | None) -> ToolFailure:
    """The API server's refusal of a selector, with the position that its message lacks."""
    found = selectors.fault({"selector": selector, "field_selector": field_selector})
    if found:
        argument, text, position = found
        return bad_argument(f"{argument}: {failure.message}; position {position} of {text!r}", selectors.form(argument))
    argument = "field_selector" if "field" in failure.message else "selector"
    return bad_argument(f"{argument}: {failure.message}", selectors.form(argument))


def _explained(failure: StatusFailure, query: Query, continued: bool) -> ToolFailure:
    # A continue token lives as long as etcd keeps its revision, 5 to 15 minutes by default.
    if failure.http_status == 410 or (continued and failure.http_status == 400 and "continue" in failure.message):
        return bad_argument(f"cursor: it has expired ({failure.message})", EXPIRED)
    if failure.http_status == 400 and (query.selector or query.field_selector):
        return malformed(failure, query.selector, query.field_selector)
    if failure.http_status == 404 and failure.reason == "NotFound":
        return bad_argument(f"{query.kind.full_name}: {failure.message}")
    return failure
