"""What servers have counted of their tools, from two or more readings of `/metrics`. Pure.

A process that died and came back counts from zero again: its series are then taken as they are, never subtracted from
what they were, so no rate is negative.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

_CALLS, _ERRORS, _SECONDS = "kmcp_tool_calls", "kmcp_tool_errors", "kmcp_tool_duration_seconds"
_IN_FLIGHT = "kmcp_tool_in_flight"
Tool = tuple[str, str]
"""Server and tool."""
Key = tuple[str, str, str, str]
"""Series: kind (calls, errors, bucket), server, tool, and the code or the bucket's upper bound."""


@dataclass(frozen=True)
class Reading:
    """Of one process: counters by series, when each began (Unix seconds), and calls under way by tool."""

    counted: Mapping[Key, float] = field(default_factory=dict)
    began: Mapping[Key, float] = field(default_factory=dict)
    in_flight: Mapping[Tool, float] = field(default_factory=dict)


def reading_of(text: str) -> Reading:
    """Errors: ValueError for what is no exposition. What is not about tools is passed over."""
    counted, began = dict[Key, float](), dict[Key, float]()
    in_flight: dict[Tool, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            tool = sample.labels.get("server", ""), sample.labels.get("tool", "")
            found = _key(sample.name, sample.labels, tool)
            if sample.name == _IN_FLIGHT:
                in_flight[tool] += sample.value
            elif found and sample.name.endswith("_created"):
                began[found] = sample.value
            elif found and math.isfinite(sample.value):
                counted[found] = counted.get(found, 0.0) + sample.value
    return Reading(counted, began, in_flight)


def _key(name: str, labels: Mapping[str, str], tool: Tool) -> Key | None:
    if name in (_CALLS, f"{_CALLS}_total", f"{_CALLS}_created"):
        # By their outcome and effect, so that a new kind of call is not taken for one that came back.
        return "calls", *tool, f"{labels.get('effect', '')} {labels.get('outcome', '')}"
    if name in (_ERRORS, f"{_ERRORS}_total", f"{_ERRORS}_created"):
        return "errors", *tool, labels.get("code", "")
    if name == f"{_SECONDS}_bucket":
        return "bucket", *tool, labels.get("le", "+Inf")
    return None


def growth(before: Reading | None, now: Reading) -> dict[Key, float]:
    """What was counted since; all of it where the process is another one."""
    if before is None or _is_another(before, now):
        return dict(now.counted)
    return {key: value - before.counted.get(key, 0.0) for key, value in now.counted.items()}


def _is_another(before: Reading, now: Reading) -> bool:
    fell = any(now.counted.get(key, 0.0) < value for key, value in before.counted.items())
    return fell or any(now.began.get(key, when) != when for key, when in before.began.items())


@dataclass(frozen=True)
class Row:
    """One tool. `per_second` None: there is one reading alone; `p50` and `p95` (seconds) None: there was no call."""

    server: str
    tool: str
    calls: int
    errors: int
    codes: Mapping[str, int]
    in_flight: int
    per_second: float | None
    p50: float | None
    p95: float | None


class Figures:
    """Takes readings of several processes and gives rows, over the last `window` seconds.

    Totals are those of the processes since each started, and grow over restarts that were seen.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._last: dict[str, Reading] = {}
        self._totals: Counter[Key] = Counter()
        self._recent: deque[tuple[float, float, dict[Key, float]]] = deque()
        self._in_flight: dict[str, Mapping[Tool, float]] = {}
        self._seen: float | None = None

    def take(self, readings: Mapping[str, Reading], now: float) -> None:
        """`now`: seconds of a clock that never goes back. Who is not in `readings` did not answer this time."""
        fresh: Counter[Key] = Counter()
        for source, reading in readings.items():
            grown = growth(self._last.get(source), reading)
            self._totals.update(grown)
            if source in self._last:  # what was counted before we came says nothing about now
                fresh.update(grown)
        self._last |= readings
        self._in_flight = {source: reading.in_flight for source, reading in readings.items()}
        if self._seen is not None:
            self._recent.append((self._seen, now, dict(fresh)))
        self._seen = now
        while len(self._recent) > 1 and self._recent[0][1] < now - self._window:
            self._recent.popleft()

    @property
    def is_empty(self) -> bool:
        """Whether there has been no reading yet."""
        return self._seen is None

    @property
    def seconds(self) -> float | None:
        """Of what the rates are made; None after one reading."""
        return self._recent[-1][1] - self._recent[0][0] if self._recent else None

    def rows(self) -> list[Row]:
        """Of every tool that has been called."""
        recent: Counter[Key] = Counter()
        for _, _, grown in self._recent:
            recent.update(grown)
        totals, latest = _by_tool(self._totals), _by_tool(recent)
        running: Counter[Tool] = Counter()
        for each in self._in_flight.values():
            running.update({tool: int(count) for tool, count in each.items()})
        tools = totals.keys() | {tool for tool, count in running.items() if count}
        return [self._row(tool, totals.get(tool, {}), latest.get(tool, {}), running[tool]) for tool in tools]

    def _row(self, tool: Tool, total: Mapping[Key, float], recent: Mapping[Key, float], running: int) -> Row:
        codes: Counter[str] = Counter()
        for key, value in total.items():
            if key[0] == "errors":
                codes[key[3]] += int(value)
        # A tool that was not called lately still has the latency that it had.
        buckets = _buckets(recent if _sum(recent, "bucket") else total)
        seconds = self.seconds
        return Row(
            *tool,
            calls=int(_sum(total, "calls")),
            errors=codes.total(),
            codes=dict(codes),
            in_flight=running,
            per_second=_sum(recent, "calls") / seconds if seconds else None,
            p50=quantile(0.5, buckets),
            p95=quantile(0.95, buckets),
        )


def _by_tool(counted: Mapping[Key, float]) -> dict[Tool, dict[Key, float]]:
    found: dict[Tool, dict[Key, float]] = defaultdict(dict)
    for key, value in counted.items():
        found[key[1], key[2]][key] = value
    return found


def _sum(counted: Mapping[Key, float], kind: str) -> float:
    return sum(value for key, value in counted.items() if key[0] == kind)


def _buckets(counted: Mapping[Key, float]) -> list[tuple[float, float]]:
    return sorted((float(key[3]), value) for key, value in counted.items() if key[0] == "bucket")


def quantile(share: float, buckets: Iterable[tuple[float, float]]) -> float | None:
    """As Prometheus' histogram_quantile: within a bucket by a straight line, beyond the last bound that bound."""
    known = list(buckets)
    if not known or known[-1][1] <= 0:
        return None
    wanted, below, counted = share * known[-1][1], 0.0, 0.0
    for bound, count in known:
        if count >= wanted:
            if math.isinf(bound):
                return below
            return below + (bound - below) * (wanted - counted) / (count - counted) if count > counted else bound
        below, counted = bound, count
    return below
