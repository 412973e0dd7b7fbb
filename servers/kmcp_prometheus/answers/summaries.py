"""A series in a few figures."""

import math
from collections.abc import Sequence

from pydantic import BaseModel, Field

from kmcp_prometheus.answers.samples import Histogram, Number, RawSamples, plain

_DIGITS = 12


class Summary(BaseModel):
    """Figures of a series; NaN and infinite values are left out and noted."""

    metric: dict[str, str]
    first: Number | None = None
    last: Number | None = None
    min: Number | None = None
    max: Number | None = None
    avg: Number | None = None
    p95: Number | None = Field(default=None, description="As quantile_over_time(0.95, …)")
    samples: int
    last_histogram: Histogram | None = None
    note: str | None = None


def summary(series: RawSamples) -> Summary:
    values = series.values or []
    numbers = [value for _, value in values if value is not None]
    histograms = series.histograms or []
    found = Summary(metric=series.metric, samples=len(values) + len(histograms), note=series.note)
    if histograms:
        found.last_histogram = histograms[-1][1]
    if numbers:
        found.first, found.last = numbers[0], numbers[-1]
        found.min, found.max = min(numbers), max(numbers)
        # fsum: a plain sum of thousands of floats loses digits that readers compare with avg_over_time.
        found.avg = rounded(math.fsum(numbers) / len(numbers))
        found.p95 = rounded(quantile(0.95, numbers))
    return found


def quantile(q: float, numbers: Sequence[Number]) -> float:
    """As PromQL calculates it: by linear interpolation between the two nearest ranks."""
    ordered = sorted(numbers)
    rank = q * (len(ordered) - 1)
    lower = math.floor(rank)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] * (1 - (rank - lower)) + ordered[upper] * (rank - lower)


def rounded(value: float) -> Number:
    """Without the last digits, which only the arithmetic of floats has put there."""
    return plain(float(f"{value:.{_DIGITS}g}"))
