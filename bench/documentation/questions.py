"""The labelled questions, and how well a list of answers answers one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent
FIRST, SECOND = "first", "second"
_FILES = {FIRST: "questions.yaml", SECOND: "fresh.yaml"}


@dataclass(frozen=True)
class Question:
    product: str
    ask: str
    labels: tuple[str, ...]
    """Pages that answer it, as `path` or `path#heading`; `path#` is what stands before the first heading."""
    held_out: bool
    """Never looked at while anything was tuned."""
    set: str = FIRST
    """The second was written when the search was there, to see whether what was tuned on the first one holds."""

    def rank(self, items: Sequence[Mapping[str, Any]], *, sections: bool) -> int | None:
        """Which of the answers is the first right one, from 1; by page, or by section where a label names one."""
        return next((at for at, item in enumerate(items, 1) if self._is_right(item, sections)), None)

    def _is_right(self, item: Mapping[str, Any], sections: bool) -> bool:
        path = item["citation"].partition(":")[2].partition("#")[0]
        headings = [part for part in item["heading_path"].split(" > ") if part]
        return item["product"] == self.product and any(_fits(label, path, headings, sections) for label in self.labels)


def _fits(label: str, path: str, headings: Sequence[str], sections: bool) -> bool:
    page, marked, heading = label.partition("#")
    if page != path:
        return False
    return not (sections and marked) or (heading in headings if heading else not headings)


def questions() -> list[Question]:
    """All that some indexed page answers."""
    return [
        Question(product, entry["ask"], tuple(entry["pages"]), bool(number % 2), name)
        for name, file in _FILES.items()
        for product, entries in yaml.safe_load((_HERE / file).read_text()).items()
        for number, entry in enumerate(entries)
        if entry["pages"]
    ]


@dataclass(frozen=True)
class Quality:
    """Recall at 1 and 5, and the mean reciprocal rank, of some questions."""

    count: int
    first: float
    fifth: float
    reciprocal: float

    @classmethod
    def of(cls, ranks: Iterable[int | None]) -> "Quality":
        found = list(ranks)
        return cls(
            len(found),
            sum(rank == 1 for rank in found) / len(found),
            sum(rank is not None and rank <= 5 for rank in found) / len(found),
            sum(1 / rank for rank in found if rank) / len(found),
        )

    def line(self, what: str) -> str:
        figures = f"recall@1 {self.first:.2f}  recall@5 {self.fifth:.2f}  MRR {self.reciprocal:.2f}"
        return f"{what:44} {self.count:4} questions  {figures}"
