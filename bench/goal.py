"""What a benchmark wants of a figure, and what it got."""

from dataclasses import dataclass


@dataclass
class Goal:
    """What is compared, the figure that was measured, and the largest that is wanted."""

    what: str
    measured: float
    wanted: float

    def line(self) -> str:
        verdict = "met" if self.measured <= self.wanted else "NOT MET"
        return f"{self.what:66} {self.measured:9.4f}   goal <= {self.wanted:.4f}   {verdict}"
