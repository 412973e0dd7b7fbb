"""The data of the tests' Prometheus: every figure in an answer can be worked out from here.

Two hours of samples, one a minute, from `BEGIN` on; `i` counts the minutes.
"""

import time
from collections.abc import Iterator

MINUTES = 120
BEGIN = (int(time.time()) // 3600 - 5) * 3600
END = BEGIN + MINUTES * 60
WIDE = 20_000
"""Series of `wide`, which has samples at `END` alone."""
QUEUE_USED, QUEUE_LIMIT = 30, 120
CELLAR = {5: "NaN", 6: "+Inf", 7: "-Inf"}
"""Minutes at which the cellar's temperature is no number; 10 at all others."""


def at(minute: int) -> int:
    return BEGIN + minute * 60


def kitchen(minute: int) -> int:
    return 20 + minute % 10


REQUESTS = {("a", "200"): 6, ("a", "500"): 0.6, ("b", "200"): 12}
"""Increase a minute of `shop_requests_total` by instance and code."""
BUCKETS = {"0.1": 50, "0.5": 90, "1.0": 99, "+Inf": 100}
"""Increase a minute of `shop_latency_seconds_bucket` by upper bound; its sum grows by 20."""
JOBS = {"done": 9, "failed": 1}
"""Increase a minute of `shop_jobs_total` by result."""


def openmetrics() -> Iterator[str]:
    """The data as promtool takes it."""
    yield from _family("shop_requests", "counter", _requests())
    yield from _family("shop_jobs", "counter", _jobs())
    yield from _family("shop_latency_seconds", "histogram", _latency())
    yield from _family("shop_temperature_celsius", "gauge", _temperature())
    yield from _family("shop_queue_used", "gauge", _constant("shop_queue_used", QUEUE_USED))
    yield from _family("shop_queue_limit", "gauge", _constant("shop_queue_limit", QUEUE_LIMIT))
    for name in ("doomed_half", "doomed_whole", "doomed_not"):
        yield from _family(name, "gauge", _constant(name, 1))
    yield from _family("wide", "gauge", (f'wide{{shard="{n % 10}",n="{n}"}} {n} {END}' for n in range(WIDE)))
    yield "# EOF"


def _family(name: str, kind: str, samples: Iterator[str]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield from samples


def _minutes() -> range:
    return range(MINUTES + 1)


def _requests() -> Iterator[str]:
    for (instance, code), step in REQUESTS.items():
        for i in _minutes():
            labels = f'job="shop",instance="{instance}",code="{code}"'
            yield f"shop_requests_total{{{labels}}} {round(step * i, 6)} {at(i)}"


def _jobs() -> Iterator[str]:
    for result, step in JOBS.items():
        for i in _minutes():
            yield f'shop_jobs_total{{result="{result}"}} {step * i} {at(i)}'


def _latency() -> Iterator[str]:
    for i in _minutes():
        for bound, step in BUCKETS.items():
            yield f'shop_latency_seconds_bucket{{job="shop",le="{bound}"}} {step * i} {at(i)}'
        yield f'shop_latency_seconds_count{{job="shop"}} {BUCKETS["+Inf"] * i} {at(i)}'
        yield f'shop_latency_seconds_sum{{job="shop"}} {20 * i} {at(i)}'


def _temperature() -> Iterator[str]:
    for i in _minutes():
        yield f'shop_temperature_celsius{{room="kitchen"}} {kitchen(i)} {at(i)}'
    for i in _minutes():
        yield f'shop_temperature_celsius{{room="cellar"}} {CELLAR.get(i, 10)} {at(i)}'


def _constant(name: str, value: int) -> Iterator[str]:
    for i in _minutes():
        yield f'{name}{{queue="main"}} {value} {at(i)}'
