"""Whether an expression answers a wish: it is one of those that are right, or Prometheus answers the same for both."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import httpx2

from kmcp_prometheus.promql import printing
from kmcp_prometheus.promql.parser import parse
from tests.prometheus.wishes import world
from tests.slowness import scaled

Outcome = Literal["right", "asked", "wrong"]


@dataclass(frozen=True)
class Judged:
    """What came of a wish."""

    wish: str
    outcome: Outcome
    first: str
    """The first candidate, or the first question."""


def judge(url: str, wish: str, right: list[str], answer: dict[str, Any]) -> Judged:
    """Judge the first candidate; an answer without candidates counts as asked when it has a question."""
    candidates = [candidate["query"] for candidate in answer["candidates"]]
    for candidate in candidates:
        evaluated(url, candidate)
    if not candidates:
        questions = answer.get("questions") or []
        return Judged(wish, "asked" if questions else "wrong", (questions or ["nothing"])[0])
    good = any(is_same(url, candidates[0], one) for one in right)
    return Judged(wish, "right" if good else "wrong", candidates[0])


def is_same(url: str, ours: str, wanted: str) -> bool:
    if printing.written(parse(ours)) == printing.written(parse(wanted)):
        return True
    found, aim = evaluated(url, ours), evaluated(url, wanted)
    return bool(aim) and found.keys() == aim.keys() and all(_close(found[key], aim[key]) for key in aim)


def evaluated(url: str, query: str) -> dict[frozenset[tuple[str, str]], float]:
    """Values by labels; an error of Prometheus' fails the test, since every candidate must run."""
    form = {"query": query, "time": str(world.END)}
    body = httpx2.post(f"{url}/api/v1/query", data=form, timeout=scaled(30)).json()
    assert body["status"] == "success", f"{query}: {body}"
    data = body["data"]
    if data["resultType"] == "scalar":
        return {frozenset(): float(data["result"][1])}
    return {
        frozenset((name, value) for name, value in item["metric"].items() if name != "__name__"): float(
            item["value"][1]
        )
        for item in data["result"]
    }


def _close(ours: float, wanted: float) -> bool:
    return (math.isnan(ours) and math.isnan(wanted)) or math.isclose(ours, wanted, rel_tol=1e-6, abs_tol=1e-9)
