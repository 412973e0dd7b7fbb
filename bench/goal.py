"""What a benchmark wants of a figure, and what it got."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Goal:
    """What is compared, the figure that was measured, and the largest that is wanted."""

    what: str
    measured: float
    wanted: float

    @property
    def met(self) -> bool:
        return self.measured <= self.wanted

    def line(self) -> str:
        verdict = "met" if self.met else "NOT MET"
        return f"{self.what:66} {self.measured:9.4f}   goal <= {self.wanted:.4f}   {verdict}"


def cpu_milliseconds(function: Callable[[], object], runs: int, times: int = 1) -> float:
    """CPU time of one call of a function: the shortest of some runs, each of so many calls."""
    taken = []
    for _ in range(runs):
        began = time.process_time()
        for _ in range(times):
            function()
        taken.append(time.process_time() - began)
    return min(taken) / times * 1000
