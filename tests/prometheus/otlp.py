"""A native histogram pushed into Prometheus: what no text format carries."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.slowness import scaled

NAME = "native_seconds"
BUCKETS = {"[-1e-128, 1e-128]": 1, "(1, 2]": 1, "(2, 4]": 2, "(4, 8]": 3}
"""Observations by bucket, in every push times its number."""
COUNT, SUM = 7, 20


@dataclass(frozen=True)
class Pushed:
    """The seconds at which the histogram was pushed, once with its figures and once with twice as many."""

    first: int
    second: int


def push(url: str, now: int) -> Pushed:
    pushed = Pushed(now - 120, now - 60)
    for times, moment in enumerate((pushed.first, pushed.second), start=1):
        answer = httpx2.post(f"{url}/api/v1/otlp/v1/metrics", json=_metrics(times, moment), timeout=scaled(30))
        assert answer.status_code == 200, answer.text
    return pushed


def _metrics(times: int, moment: int) -> dict[str, Any]:
    point = {
        "startTimeUnixNano": str((moment - 600) * 10**9),
        "timeUnixNano": str(moment * 10**9),
        "count": str(COUNT * times),
        "sum": SUM * times,
        "scale": 0,
        "zeroCount": str(times),
        "positive": {"offset": 0, "bucketCounts": [str(times), str(2 * times), str(3 * times)]},
    }
    metric = {"name": NAME, "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "otel"}}]}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {}, "metrics": [metric]}]}]}
