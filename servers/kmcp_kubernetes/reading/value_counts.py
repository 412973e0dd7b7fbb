"""Distinct values of fields with their counts, over every page of a list."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kmcp_kubernetes.client import Place
from kmcp_kubernetes.reading import list_shapes
from kmcp_runtime import too_large
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.api import KubeApi

_PAGE = 500
_MOST_VALUES = 50_000
_TELLING = ("Status", "Phase", "Ready", "Type")
"""Columns that say how an object is, or else what it is; the first that a kind has counts."""
_MOST_OF_ONE = 1_000
"""Combinations of the values of one object."""


@dataclass
class Counts:
    """Rows of the values and their count, the most frequent first."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    objects: int = 0
    missing: list[str] = field(default_factory=list)
    """Paths that no object has."""


async def count(api: KubeApi, query: pages.Query, place: Place, fields: Sequence[str] | None) -> Counts:
    """Count the values of these columns and paths; where an object has several, each counts.

    Without any, of the namespace where there are several and of the column that says how an object is; of a kind that
    has none the objects alone.
    """
    found, seen = Counts(), Counter[tuple[str, ...]]()
    missing: set[str] | None = None
    async for page in pages.walk(api, replace(query, limit=_PAGE)):
        by = fields or _usual(page, place)
        columns, rows = list_shapes.values(page, by, place) if by else ([], [[] for _ in page.items])
        found.columns = [*columns, "Count"]
        found.objects += len(rows)
        seen.update(itertools.chain.from_iterable(map(_combinations, rows)))
        lacking = {name for index, name in enumerate(columns) if not any(row[index] for row in rows)}
        missing = lacking if missing is None else missing & lacking
        if len(seen) > _MOST_VALUES:
            raise too_large(f"there are more than {_MOST_VALUES:,} values", "count by a field with fewer values")
    found.rows = [[*values, str(number)] for values, number in _by_frequency(seen)]
    found.missing = sorted(missing or ()) if found.objects else []
    return found


def _usual(page: pages.ListPage, place: Place) -> list[str]:
    shown = {str(column["name"]) for column in page.columns if not column.get("priority")}
    everywhere = ["Namespace"] if place.kind.namespaced and place.namespace is None else []
    return [*everywhere, *[name for name in _TELLING if name in shown][:1]]


def _by_frequency(seen: Counter[tuple[str, ...]]) -> Iterable[tuple[tuple[str, ...], int]]:
    return sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))


def _combinations(row: Sequence[Sequence[str]]) -> Iterable[tuple[str, ...]]:
    """Every value that an object has, as often as it has it; an absent one counts as empty."""
    return itertools.islice(itertools.product(*(values or [""] for values in row)), _MOST_OF_ONE)
