"""The metrics that expressions can be built from: their names and their types."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql.intent import Intent
from kmcp_runtime import ToolFailure

Kind = Literal["counter", "gauge", "classic", "native", "summary", "other"]
_PARTS = ("_bucket", "_count", "_sum")
_WORD = re.compile(r"[a-z]+\d*[a-z]*")


@dataclass(frozen=True)
class Metric:
    name: str
    """Of a histogram or summary: without `_bucket`, `_count` or `_sum`."""
    kind: Kind
    help: str = ""

    def words(self) -> frozenset[str]:
        return frozenset(_stems(self.name.lower().replace("_", " ")))

    def shared(self, intent: Intent) -> float:
        """How well it fits a description: words of its name count fully, those of its help text a little."""
        # A name that was written out is meant, whatever the other words say.
        if self.name in intent.named or any(f"{self.name}{part}" in intent.named for part in _PARTS):
            return 100
        own = self.words()
        helped = frozenset(_stems(self.help.lower())) - own
        return len(own & intent.words) + 0.3 * len(helped & intent.words) - 0.05 * len(own - intent.words)


async def read_metrics(prometheus: Prometheus) -> list[Metric]:
    """Read every metric, each once: histograms and summaries without their parts."""
    known = await names.list_metrics(prometheus)
    metadata = await _read_metadata(prometheus)
    there = frozenset(known)
    found = {metric.name: metric for metric in (_metric(name, there, metadata) for name in known)}
    return list(found.values())


def best(metrics: list[Metric], intent: Intent, *kinds: Kind, count: int = 2) -> list[Metric]:
    """The metrics of these kinds that fit a description best, each with at least one word of it."""
    scored = [(metric.shared(intent), metric) for metric in metrics if metric.kind in kinds]
    fitting = sorted(
        ((score, metric) for score, metric in scored if score > 0.2), key=lambda pair: (-pair[0], pair[1].name)
    )
    # Far weaker matches than the best one are noise.
    return [metric for score, metric in fitting[:count] if score >= fitting[0][0] / 2]


async def _read_metadata(prometheus: Prometheus) -> dict[str, Any]:
    try:
        return (await prometheus.get("/metadata", [("limit_per_metric", 1)])).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return {}
        raise


def _metric(name: str, there: frozenset[str], metadata: dict[str, Any]) -> Metric:
    base = next((name.removesuffix(part) for part in _PARTS if name.endswith(part)), name)
    entry = (metadata.get(base) or metadata.get(name) or [{}])[0]
    helped, stated = str(entry.get("help", "")), entry.get("type")
    if base != name and f"{base}_bucket" in there:
        return Metric(base, "classic", helped)
    if base != name and stated == "summary":
        return Metric(base, "summary", helped)
    if stated in ("histogram", "gaugehistogram"):
        return Metric(name, "native", helped)
    # The suffixes are conventions: metadata is missing for metrics of recording rules and of pushes.
    if stated == "counter" or name.endswith(("_total", "_count")):
        return Metric(name, "counter", helped)
    return Metric(name, "gauge" if stated in ("gauge", None, "unknown") else "other", helped)


def _stems(text: str) -> list[str]:
    return [
        word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word for word in _WORD.findall(text)
    ]
