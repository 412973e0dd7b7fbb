"""Why an expression whose names all exist has no result: its parts are evaluated from outside until one is empty.

Each question is one bounded query. A node that is not known here, or a part whose time cannot be told, gets no reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_prometheus.answers.samples import plain
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql import printing, valuetypes
from kmcp_prometheus.promql.literals import written_duration

Node = dict[str, Any]
_MOST_QUESTIONS = 12
_TWO_SAMPLES = ("rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear")
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
_CHOOSING = ("topk", "bottomk", "limitk")
_OF_HISTOGRAMS = (
    "histogram_count",
    "histogram_sum",
    "histogram_avg",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_fraction",
)
_BACK = (("1h", 3_600), ("1d", 86_400), ("7d", 604_800))
"""How far back the last sample of a series is looked for."""
_WIDER = (300_000, 3_600_000, 86_400_000)
_LOOKBACK_MS = 300_000


@dataclass(frozen=True)
class Moment:
    """The times that were asked for: one, or every step of a range."""

    start: float
    end: float
    step: float | None = None
    lookback: float | None = None

    def __str__(self) -> str:
        return f"between {plain(self.start)} and {plain(self.end)}" if self.step else f"at {plain(self.end)}"


class Reasons:
    """One explanation: at most some questions to the backend."""

    def __init__(self, prometheus: Prometheus, moment: Moment) -> None:
        self._prometheus, self._moment, self._left = prometheus, moment, _MOST_QUESTIONS

    async def explain(self, node: Node) -> str | None:
        """Why this node, which has no result, has none."""
        kind = node["type"]
        if kind in ("parenExpr", "unaryExpr"):
            return await self.explain(node["expr"])
        if kind == "vectorSelector":
            return await self._explain_selector(node, _lookback(self._moment))
        if kind == "aggregation":
            return await self._explain_aggregation(node)
        if kind == "binaryExpr":
            return await self._explain_binary(node)
        return await self._explain_call(node) if kind == "call" else None

    async def _explain_aggregation(self, node: Node) -> str | None:
        param = node.get("param") or {}
        given = float(param["val"]) if param.get("type") == "numberLiteral" else 1
        if (node["op"] in _CHOOSING and given < 1) or (node["op"] == "limit_ratio" and given == 0):
            return f"{node['op']}({param['val']}, …) chooses no series, whatever there is."
        return await self.explain(node["expr"])

    async def _explain_call(self, node: Node) -> str | None:
        name, arguments = node["func"]["name"], node.get("args") or []
        if name in ("absent", "absent_over_time"):
            return (
                f"{name}(…) has a result only while there is no such series: {printing.written(arguments[0])} exists."
            )
        ranged = next((each for each in arguments if each["type"] == "matrixSelector"), None)
        if ranged is not None:
            return await self._explain_range(name, ranged)
        inner = next((each for each in arguments if _is_vector(each)), None)
        if inner is None:
            return None
        if await self._is_empty(inner):
            return await self.explain(inner)
        if name == "histogram_quantile":
            return await self._explain_quantile(inner)
        if name in _OF_HISTOGRAMS:
            return f"{name}(…) reads native histograms; {printing.written(inner)} has series, but none of them is one."
        return None

    async def _explain_quantile(self, inner: Node) -> str | None:
        """The inner expression has series: without `le` they are no buckets of a classic histogram."""
        found = await self._query(f"count by (le) ({printing.written(inner)})")
        if found and not any("le" in (each.get("metric") or {}) for each in found):
            return (
                f"histogram_quantile needs the label le, which {printing.written(inner)} does not have: "
                "keep it in the aggregation, sum by (le) (…)."
            )
        return None

    async def _explain_range(self, name: str, ranged: Node) -> str | None:
        """A function over a range: nothing in it, or too little for what the function computes."""
        if ranged.get("rangeExpr") or ranged.get("anchored") or ranged.get("smoothed"):
            return None
        found = await self._query(f"max(count_over_time({printing.written(ranged)}))")
        most = _most(found)
        if most >= (2 if name in _TWO_SAMPLES else 1):
            return None
        within, wider = written_duration(ranged["range"]), await self._wider(ranged)
        if wider is None and not most:
            return await self._explain_selector({**ranged, "type": "vectorSelector"}, int(ranged["range"]))
        holds = "one sample of a series at most, and two are needed" if most else "no sample"
        return f"{name}: the range of {within} holds {holds}{f'; {wider}' if wider else ''}."

    async def _wider(self, ranged: Node) -> str | None:
        """The shortest of some longer ranges that holds two samples of a series."""
        for window in (window for window in _WIDER if window > ranged["range"]):
            most = _most(await self._query(f"max(count_over_time({printing.written({**ranged, 'range': window})}))"))
            if most >= 2:
                return f"one of {written_duration(window)} holds {most}"
        return None

    async def _explain_binary(self, node: Node) -> str | None:
        op, sides = node["op"], [node["lhs"], node["rhs"]]
        vectors = [side for side in sides if _is_vector(side)]
        if op == "or":
            found = [reason for side in sides if (reason := await self.explain(side))]
            return " ".join(dict.fromkeys(found)) or None
        for side in vectors[:1] if op == "unless" else vectors:
            if await self._is_empty(side):
                return await self.explain(side)
        if op == "unless":
            return "Every series on the left of `unless` has a match on its right."
        if op in _COMPARISONS and len(vectors) == 1:
            return f"The series exist; no value {self._moment} passes the comparison. Remove it to see the values."
        if len(vectors) < 2:
            return None
        if op in _COMPARISONS and not await self._is_empty({**node, "bool": True}):
            return f"The series exist; no value {self._moment} passes the comparison. Remove it to see the values."
        return (
            "Both sides have series, but no two of them share the labels that are matched: query each side alone, "
            "and match on(…) the labels that they have in common."
        )

    async def _explain_selector(self, node: Node, lookback_ms: int) -> str | None:
        """The series of a selector, whose names exist: never all labels together, or not at the time that it reads."""
        read = _time_of(node, self._moment)
        if read is None:
            return None
        selector = printing.written({**node, "offset": 0, "timestamp": None, "startOrEnd": None})
        ever = await self._series(selector)
        if not ever:
            return f"Each of these labels exists, but no series has all of them: {selector}."
        reach_ms = int(lookback_ms + (self._moment.end - self._moment.start) * 1000)
        within, moved = written_duration(reach_ms), _movement(node)
        when = f"{self._moment}" if not moved else f"at {plain(read)} ({moved})"
        if self._moment.step and await self._query_at(_last(selector, within), read):
            return f"{selector} has samples {when}, but none near a step: a smaller step shows them."
        for text, seconds in _BACK:
            if seconds * 1000 > reach_ms and await self._query_at(_last(selector, text), read):
                return f"{selector} has no sample {when}: the last one is more than {within} and at most {text} older."
        return f"{selector} exists, but has no sample {when}, nor in the {_BACK[-1][0]} before: choose another time."

    async def _is_empty(self, node: Node) -> bool:
        return not await self._query(f"count({printing.written(node)})")

    async def _query(self, text: str) -> list[Mapping[str, Any]]:
        moment = self._moment
        if self._spend() and moment.step:
            reply = await self._prometheus.query_range(text, moment.start, moment.end, moment.step)
            return reply.read(_result)
        return (await self._prometheus.query(text, moment.end, lookback=moment.lookback)).read(_result)

    async def _query_at(self, text: str, at: float) -> list[Mapping[str, Any]]:
        self._spend()
        return (await self._prometheus.query(text, at)).read(_result)

    async def _series(self, selector: str) -> bool:
        self._spend()
        return (await self._prometheus.post("/series", [("match[]", selector), ("limit", 1)])).read(bool)

    def _spend(self) -> bool:
        self._left -= 1
        if self._left < 0:
            raise TooManyError
        return True


class TooManyError(Exception):
    """The expression has more parts than may be asked for."""


def _last(selector: str, window: str) -> str:
    return f"count(last_over_time({selector}[{window}]))"


def _most(found: list[Mapping[str, Any]]) -> int:
    """The largest value of a result."""
    values = [float(value[1]) for each in found for value in each.get("values") or [each.get("value")] if value]
    return int(max(values, default=0))


def _result(data: Any) -> list[Mapping[str, Any]]:
    found = data["result"]
    return list(found) if data["resultType"] in ("vector", "matrix") else [{"value": found}]


def _lookback(moment: Moment) -> int:
    return int(moment.lookback * 1000) if moment.lookback else _LOOKBACK_MS


def _time_of(node: Node, moment: Moment) -> float | None:
    """The moment that a selector reads; None where it is calculated, or another one at each step."""
    if node.get("offsetExpr") or node.get("startOrEnd"):
        return None
    at = node["timestamp"] / 1000 if node.get("timestamp") is not None else moment.end
    return float(at - (node.get("offset") or 0) / 1000)


def _movement(node: Node) -> str:
    found = []
    if node.get("timestamp") is not None:
        found.append(f"@ {plain(node['timestamp'] / 1000)}")
    offset = node.get("offset") or 0
    if offset:
        found.append(f"offset {'-' if offset < 0 else ''}{written_duration(abs(offset))}")
    return " ".join(found)


def _is_vector(node: Node) -> bool:
    return valuetypes.type_of(node) == "vector"
