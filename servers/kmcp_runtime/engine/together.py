"""The servers of a process as one sequence, also where some of them come and go."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from kmcp_runtime.engine.configured import ConfiguredServer


class Together(Sequence[ConfiguredServer]):
    """The servers of the process, and whatever foreign ones there are at the moment."""

    def __init__(self, own: Sequence[ConfiguredServer], foreign: Mapping[str, ConfiguredServer]) -> None:
        self._own, self._foreign = own, foreign

    def _all(self) -> list[ConfiguredServer]:
        return [*self._own, *self._foreign.values()]

    @overload
    def __getitem__(self, index: int) -> ConfiguredServer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ConfiguredServer]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._all()[index]

    def __iter__(self) -> Iterator[ConfiguredServer]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._own) + len(self._foreign)
