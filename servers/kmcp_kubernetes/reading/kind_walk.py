"""Objects of several kinds in one list, as `kubectl get pods,services` and `kubectl get all` show them.

The kinds are read one after another; each page ends where its API server ended it, and a cursor goes on in that kind.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_kubernetes.arguments import Output
from kmcp_kubernetes.client import Place
from kmcp_kubernetes.reading import list_shapes
from kmcp_runtime import ToolFailure, cursors
from kmcp_runtime.kube.pages import ListPage

Fetch = Callable[[Place, str | None], Awaitable[ListPage]]
"""One page of a kind, from a cursor of its own."""
_OF_THE_KIND = ("forbidden", "denied", "not_found", "unavailable")
"""Codes of failures that say nothing of the other kinds."""


@dataclass
class Walk:
    """What has been read: pages of some of the kinds, in their order."""

    places: Sequence[Place]
    pages: dict[int, ListPage] = field(default_factory=dict)
    """By the number of the kind."""
    failures: dict[int, ToolFailure] = field(default_factory=dict)
    reached: int = 0
    """The number of kinds that were read or are being read."""
    begun: int = 0
    """The number of the kind that it began with: earlier answers have shown those before."""

    @property
    def complete(self) -> bool:
        return self.reached == len(self.places) and all(page.next_token is None for page in self.pages.values())

    def cursor_at(self, arguments: Mapping[str, Any]) -> Callable[[int], str]:
        """A function from n to the cursor that continues after the first n objects of all pages."""

        def at(kept: int) -> str:
            for number, page in self.pages.items():
                if kept < len(page.items) or (kept == len(page.items) and page.next_token is not None):
                    inside = page.cursor_at(_inside(arguments, number))(kept)
                    return cursors.encode({"k": number, "i": inside}, arguments)
                kept -= len(page.items)
            return cursors.encode({"k": self.reached}, arguments)

        return at

    @property
    def warnings(self) -> list[str]:
        return [f"{self.places[number].kind.full_name}: {failure.message}" for number, failure in self.failures.items()]

    @property
    def total(self) -> int | None:
        """None where it is unknown: a kind is not read yet, was read by an earlier call, or may not be read."""
        totals = [page.total for page in self.pages.values()]
        unread = any(failure.code != "not_found" for failure in self.failures.values())
        if self.begun or unread or None in totals or not self.complete:
            return None
        return sum(total or 0 for total in totals)


def _inside(arguments: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    return {**arguments, "kind": number}


async def walk(
    places: Sequence[Place],
    fetch: Callable[[Place, str | None, Mapping[str, Any]], Awaitable[ListPage]],
    cursor: str | None,
    limit: int,
    arguments: Mapping[str, Any],
) -> Walk:
    """Read kind after kind until there are `limit` objects.

    A kind that cannot be read is a warning beside the others. Errors: the failure of the first where none can be read.
    """
    position = cursors.decode(cursor, arguments, k=range(len(places) + 1), i=str) if cursor else {}
    begun = position.get("k", 0)
    found = Walk(places, reached=begun, begun=begun)
    inside, shown = position.get("i"), 0
    for number in range(begun, len(places)):
        found.reached = number + 1
        try:
            page = await fetch(places[number], inside, _inside(arguments, number))
        except ToolFailure as failure:
            if failure.code not in _OF_THE_KIND or inside:
                raise
            found.failures[number] = failure
            continue
        finally:
            inside = None
        found.pages[number] = page
        shown += len(page.items)
        if page.next_token is not None or shown >= limit:
            break
    if begun == 0 and not found.pages and found.failures:
        raise next(iter(found.failures.values()))
    return found


def shown(found: Walk, output: Output, fields: Sequence[str] | None) -> list_shapes.Shape:
    """The objects of all kinds in one shape: rows under the columns of all, names as `kind.group/name`."""
    shapes = [
        (found.places[number], list_shapes.shown(page, output, found.places[number], fields))
        for number, page in found.pages.items()
    ]
    if output in ("table", "wide"):
        return _one_table(shapes)
    items: list[Any] = []
    for place, (_, of_kind) in shapes:
        if output == "names":
            items += [f"{_prefix(place)}/{name}" for name in of_kind]
        else:
            # Whole objects say what they are; their fields alone do not.
            items += [{"kind": place.kind.kind, **item} for item in of_kind] if fields else of_kind
    return None, items


def _one_table(shapes: Sequence[tuple[Place, list_shapes.Shape]]) -> list_shapes.Shape:
    columns = list(dict.fromkeys(column for _, (named, _) in shapes for column in named or ()))
    rows = []
    for place, (named, of_kind) in shapes:
        for row in of_kind:
            cells = dict(zip(named or (), row, strict=True))
            rows.append([place.kind.kind, *(cells.get(column, "") for column in columns)])
    return ["Kind", *columns], rows


def _prefix(place: Place) -> str:
    """As `kubectl get -o name` writes it: `pod`, `deployment.apps`."""
    kind = place.kind
    name = kind.singular or kind.kind.lower()
    return f"{name}.{kind.group}" if kind.group else name
