"""A look at a list, and how far it went: nothing is absent because it was not looked at."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Part = TypeVar("Part")


class Looked(list[Item]):
    """What a look found, and whether that is all of it."""

    def __init__(
        self, found: Iterable[Item] = (), *, of: str = "objects", complete: bool = True, limits: str = ""
    ) -> None:
        super().__init__(found)
        self.of = of
        """What was looked at, in words: `pods`."""
        self.limits = limits or ("" if complete else f"only the first {len(self):,} {of} were looked at")
        """What was not looked at, in words; empty when all was."""

    @property
    def complete(self) -> bool:
        return not self.limits

    def absence(self, claim: str) -> str:
        """A claim that something is not there, no stronger than the look."""
        return claim if self.complete else f"{claim} ({self.limits})"

    def of_each(self, part: Callable[[Item], Part]) -> "Looked[Part]":
        """A part of each that was found."""
        return Looked(map(part, self), of=self.of, limits=self.limits)
