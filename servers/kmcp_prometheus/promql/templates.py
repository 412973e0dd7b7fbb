"""Expressions that operators write again and again, filled in."""

from collections.abc import Sequence
from typing import Any

from kmcp_prometheus.promql import printing

Matchers = Sequence[dict[str, Any]]
FAST_BURN = 14.4
"""Multiple of the allowed error rate that uses up 2 % of a month's budget in an hour (Google's SRE workbook)."""


def by(op: str, grouping: Sequence[str], expression: str) -> str:
    """`op by (a, b) (expression)`, or `op(expression)` without groups."""
    return f"{op} by ({printing.labels(list(grouping))}) ({expression})" if grouping else f"{op}({expression})"


def rate(metric: str, matchers: Matchers, window: str, grouping: Sequence[str]) -> str:
    return by("sum", grouping, _rate(metric, matchers, window))


def ratio(bad: tuple[str, Matchers], total: tuple[str, Matchers], window: str, grouping: Sequence[str]) -> str:
    """The share of bad events among all, between 0 and 1."""
    return f"{rate(*bad, window, grouping)} / {rate(*total, window, grouping)}"


def classic_quantile(q: float, metric: str, matchers: Matchers, window: str, grouping: Sequence[str]) -> str:
    """From the `_bucket` series of a classic histogram; `le` must survive the aggregation."""
    # histogram_quantile reads the buckets from `le`; a sum without it would answer nothing.
    inner = by("sum", [*grouping, "le"], _rate(f"{metric}_bucket", matchers, window))
    return f"histogram_quantile({q:g}, {inner})"


def native_quantile(q: float, metric: str, matchers: Matchers, window: str, grouping: Sequence[str]) -> str:
    return f"histogram_quantile({q:g}, {by('sum', grouping, _rate(metric, matchers, window))})"


def mean(metric: str, matchers: Matchers, window: str, grouping: Sequence[str]) -> str:
    """The mean of a classic histogram's or a summary's observations."""
    return (
        f"{rate(f'{metric}_sum', matchers, window, grouping)} / {rate(f'{metric}_count', matchers, window, grouping)}"
    )


def saturation(used: str, limit: str, matchers: Matchers, grouping: Sequence[str]) -> str:
    """The used share of what there is."""
    sides = (by("sum", grouping, printing.selector(name, list(matchers))) for name in (used, limit))
    return " / ".join(sides)


def used_of_free(free: str, limit: str, matchers: Matchers, grouping: Sequence[str]) -> str:
    return f"1 - {saturation(free, limit, matchers, grouping)}"


def burn_rate(share: str, objective: float) -> str:
    """How many times faster than allowed the error budget goes; 1 uses it up exactly at the end of its period."""
    # 1 - 0.999 is 0.0010000000000000009 in floats.
    return f"({share}) / {round(1 - objective, 10):g}"


def fast_burn(long: str, short: str, objective: float) -> str:
    """True while both a long and a short window burn fast: significant, and still going on."""
    return f"{burn_rate(long, objective)} > {FAST_BURN} and {burn_rate(short, objective)} > {FAST_BURN}"


def absent(metric: str, matchers: Matchers, window: str | None = None) -> str:
    selector = printing.selector(metric, list(matchers))
    return f"absent_over_time({selector}[{window}])" if window else f"absent({selector})"


def _rate(metric: str, matchers: Matchers, window: str) -> str:
    return f"rate({printing.selector(metric, list(matchers))}[{window}])"
