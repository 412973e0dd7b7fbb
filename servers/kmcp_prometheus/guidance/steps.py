"""Steps of range queries: chosen for a number of points, or checked against Prometheus' limit."""

import math

from kmcp_runtime import bad_argument

MOST_POINTS = 11_000
"""Of each series in one answer; Prometheus refuses more."""
_NICE = (
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    180,
    300,
    600,
    900,
    1_200,
    1_800,
    3_600,
    7_200,
    10_800,
    14_400,
    21_600,
    28_800,
    43_200,
    86_400,
)
_DAY = 86_400
_LEAST = 0.001
"""The resolution of Prometheus' timestamps."""


def chosen(seconds: float, max_points: int) -> float:
    """The smallest round step, in seconds, that divides a range of this length into at most `max_points` points."""
    least = seconds / max(max_points - 1, 1)
    # A day is the largest in the list; longer steps are whole days, so that points fall at the same hour.
    return next((step for step in _NICE if step >= least), math.ceil(least / _DAY) * _DAY)


def checked(step: float, seconds: float) -> float:
    """A caller's step; when it is too small, `bad_argument` names the smallest that fits."""
    if step < _LEAST:
        raise bad_argument(
            f"step: must be at least {_LEAST * 1000:g} ms", "leave it out: it is then chosen to fit max_points"
        )
    if seconds / step > MOST_POINTS:
        raise bad_argument(
            f"step: {step:g} s makes {seconds / step:.0f} points per series, more than {MOST_POINTS}",
            f"step={chosen(seconds, MOST_POINTS):g} s is the smallest round one that fits; without step, one is chosen",
        )
    return step
