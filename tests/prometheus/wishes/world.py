"""A set of metrics as a real Prometheus has it: hours of samples, and a target that tells types and help texts."""

import itertools
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SETS = ("cluster", "application", "data")
STEP_SECONDS = 60
MINUTES = 180
END = (int(time.time()) // 3600 - 1) * 3600
"""The moment at which expressions are evaluated, the last one with samples."""
BEGIN = END - MINUTES * STEP_SECONDS
_BOUNDS = {"0.05": 0.3, "0.1": 0.6, "0.5": 0.9, "1": 0.97, "+Inf": 1.0}
_SCRAPE = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: families
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""

Labels = dict[str, str]


@cache
def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    return content


def configuration(target: str) -> str:
    return _SCRAPE.format(target=target)


def openmetrics(name: str) -> Iterator[str]:
    """Samples of every minute; what is not typed is a gauge here, since backfilling knows no type."""
    for metric, family in read(name)["metrics"].items():
        for suffix, labels, figure in _series(metric, family):
            shown = _labels(metric + suffix, labels)
            for minute in range(MINUTES + 1):
                yield f"{shown} {figure(minute * STEP_SECONDS):.9g} {BEGIN + minute * STEP_SECONDS}"
    yield "# EOF"


def exposition(name: str) -> str:
    """One sample of each series with types and help, as a target tells them."""
    lines = []
    for metric, family in read(name)["metrics"].items():
        if "type" not in family:
            continue
        lines += [f'# TYPE "{metric}" {family["type"]}', f'# HELP "{metric}" {family["help"]}']
        for suffix, labels, figure in _series(metric, family):
            lines.append(f"{_labels(metric + suffix, labels)} {figure(MINUTES * STEP_SECONDS):.9g}")
    return "\n".join(lines) + "\n"


def _series(metric: str, family: dict[str, Any]) -> Iterator[tuple[str, Labels, Any]]:
    names = list(family["labels"])
    for values in itertools.product(*family["labels"].values()):
        labels = dict(zip(names, map(str, values), strict=True))
        if "job" in family:
            labels["job"] = family["job"]
        yield from _parts(metric, family, labels)


def _parts(metric: str, family: dict[str, Any], labels: Labels) -> Iterator[tuple[str, Labels, Any]]:
    kind, share = family.get("type"), zlib.crc32(f"{metric}{sorted(labels.items())}".encode()) % 9973 / 9973
    if "values" in family:
        low, high = family["values"]
        yield "", labels, _wandering(float(low), float(high), share)
        return
    low, high = family["rate"]
    rate = low + (high - low) * share
    if kind == "counter":
        yield "", labels, _rising(rate)
        return
    if kind == "histogram":
        for bound, part in _BOUNDS.items():
            yield "_bucket", {**labels, "le": bound}, _rising(rate * part ** (1 + share))
    yield "_count", labels, _rising(rate)
    yield "_sum", labels, _rising(rate * (0.1 + share))


def _rising(rate: float) -> Any:
    return lambda seconds: 100 + rate * seconds


def _wandering(low: float, high: float, share: float) -> Any:
    if (low, high) == (0, 1):  # A state is 0 or 1 and nothing between.
        return lambda seconds: float(share > 0.5)
    value = low + (high - low) * share
    # Some go down to nothing within hours, so that forecasts have something to find.
    slope = -value / 20_000 if share > 0.5 else value / 50_000
    return lambda seconds: value + slope * (seconds - MINUTES * STEP_SECONDS)


def _labels(metric: str, labels: Labels) -> str:
    shown = ",".join(f'"{name}"="{value}"' for name, value in labels.items())
    return f'{{"{metric}"{"," if shown else ""}{shown}}}'
