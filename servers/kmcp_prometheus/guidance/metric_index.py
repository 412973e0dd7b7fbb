"""The metrics that expressions can be built from: their names and their types."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_prometheus.promql import lexicon
from kmcp_prometheus.promql.intent import Intent
from kmcp_prometheus.promql.lexicon import stem
from kmcp_runtime import ToolFailure

Kind = Literal["counter", "gauge", "classic", "native", "summary", "other"]
PARTS = ("_bucket", "_count", "_sum")
_TELLING_NOTHING = frozenset(
    map(stem, ("total", "seconds", "bytes", "count", "sum", "info", "ratio", "milliseconds", "number", "status"))
)


@dataclass(frozen=True)
class Metric:
    name: str
    """Of a histogram or summary: without `_bucket`, `_count` or `_sum`."""
    kind: Kind
    help: str = ""

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stem(token) for token in lexicon.tokens(self.name))

    @cached_property
    def help_stems(self) -> frozenset[str]:
        return frozenset(stem(token) for token in lexicon.tokens(self.help.lower()))

    def series(self) -> str:
        """The name of series that have its labels."""
        return (
            f"{self.name}_bucket"
            if self.kind == "classic"
            else f"{self.name}_count"
            if self.kind == "summary"
            else self.name
        )

    def is_named(self, intent: Intent) -> bool:
        return self.name in intent.named or any(f"{self.name}{part}" in intent.named for part in PARTS)

    def fit(self, word: str) -> float:
        """How well a stem of a description is covered: 1 by the name, less by a synonym or by the help text."""
        if word in self.stems:
            return 1
        alike = lexicon.akin(word)
        if alike & self.stems:
            return 0.8
        if word in self.help_stems:
            return 0.5
        # Names such as `consumergroup` and `keyspace` run words together.
        if any(own.startswith(word) or (len(word) > 3 and word in own) for own in self.stems if len(word) > 2):
            return 0.6
        return 0.3 if alike & self.help_stems else 0

    def score(self, words: Collection[str]) -> float:
        """How well it fits a description as a whole: what is in its name alone, and in no word, counts against it."""
        wanted = frozenset().union(*(lexicon.akin(word) for word in words)) if words else frozenset()
        extra = len(self.stems - wanted - _TELLING_NOTHING)
        return sum(self.fit(word) for word in words) - 0.08 * extra


async def read_metrics(prometheus: Prometheus, known: Collection[str]) -> list[Metric]:
    """Read every metric, each once: histograms and summaries without their parts."""
    metadata = await _read_metadata(prometheus)
    there = frozenset(known)
    found = {metric.name: metric for metric in (_metric(name, there, metadata) for name in known)}
    return list(found.values())


async def _read_metadata(prometheus: Prometheus) -> dict[str, Any]:
    try:
        return (await prometheus.get("/metadata", [("limit_per_metric", 1)])).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return {}
        raise


def _metric(name: str, there: frozenset[str], metadata: dict[str, Any]) -> Metric:
    base = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
    # OpenMetrics names the family of a counter without `_total`.
    entry = (metadata.get(base) or metadata.get(name) or metadata.get(name.removesuffix("_total")) or [{}])[0]
    helped, stated = str(entry.get("help", "")), entry.get("type")
    if f"{base}_bucket" in there and (base != name or stated == "histogram"):
        return Metric(base, "classic", helped)
    if f"{base}_count" in there and f"{base}_sum" in there and (base != name or stated == "summary"):
        return Metric(base, "summary", helped)
    if stated in ("histogram", "gaugehistogram"):
        return Metric(name, "native", helped)
    # The suffixes are conventions: metadata is missing for metrics of recording rules and of pushes.
    untyped = stated in (None, "unknown")
    if stated == "counter" or (untyped and name.endswith(("_total", "_count"))):
        return Metric(name, "counter", helped)
    return Metric(name, "gauge" if untyped or stated == "gauge" else "other", helped)
