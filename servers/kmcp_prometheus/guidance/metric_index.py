"""The metrics there are to build expressions of: their names, and of what type each is."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql.intent import Wish
from kmcp_runtime import ToolFailure

Kind = Literal["counter", "gauge", "classic", "native", "summary", "other"]
_PARTS = ("_bucket", "_count", "_sum")
_WORD = re.compile(r"[a-z]+\d*[a-z]*")


@dataclass(frozen=True)
class Metric:
    name: str
    """Of a histogram without `_bucket`."""
    kind: Kind
    help: str = ""

    def words(self) -> frozenset[str]:
        return frozenset(_stems(self.name.lower().replace("_", " ")))

    def shared(self, wish: Wish) -> float:
        """How well it fits a description: words of the name count, those of the help text a little."""
        if self.name in wish.named or any(f"{self.name}{part}" in wish.named for part in _PARTS):
            return 100
        own = self.words()
        told = frozenset(_stems(self.help.lower())) - own
        return len(own & wish.words) + 0.3 * len(told & wish.words) - 0.05 * len(own - wish.words)


async def metrics(prometheus: Prometheus) -> list[Metric]:
    """Every metric, once; histograms and summaries without their parts."""
    known = await names.metrics(prometheus)
    told = await _metadata(prometheus)
    there = frozenset(known)
    found = {metric.name: metric for metric in (_metric(name, there, told) for name in known)}
    return list(found.values())


def best(stock: list[Metric], wish: Wish, *kinds: Kind, count: int = 2) -> list[Metric]:
    """The metrics of these kinds that fit a description best; none that shares no word."""
    scored = [(metric.shared(wish), metric) for metric in stock if metric.kind in kinds]
    fitting = sorted(
        ((score, metric) for score, metric in scored if score > 0.2), key=lambda pair: (-pair[0], pair[1].name)
    )
    return [metric for score, metric in fitting[:count] if score >= fitting[0][0] / 2]


async def _metadata(prometheus: Prometheus) -> dict[str, Any]:
    try:
        return (await prometheus.get("/metadata", [("limit_per_metric", 1)])).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return {}
        raise


def _metric(name: str, there: frozenset[str], told: dict[str, Any]) -> Metric:
    base = next((name.removesuffix(part) for part in _PARTS if name.endswith(part)), name)
    entry = (told.get(base) or told.get(name) or [{}])[0]
    helped, stated = str(entry.get("help", "")), entry.get("type")
    if base != name and f"{base}_bucket" in there:
        return Metric(base, "classic", helped)
    if base != name and stated == "summary":
        return Metric(base, "summary", helped)
    if stated in ("histogram", "gaugehistogram"):
        return Metric(name, "native", helped)
    if stated == "counter" or name.endswith(("_total", "_count")):
        return Metric(name, "counter", helped)
    return Metric(name, "gauge" if stated in ("gauge", None, "unknown") else "other", helped)


def _stems(text: str) -> list[str]:
    return [
        word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word for word in _WORD.findall(text)
    ]
