"""Expressions built from a description: its words choose the template, the metrics that exist fill it in."""

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import metric_index, names
from kmcp_prometheus.guidance.metric_index import Metric
from kmcp_prometheus.promql import printing, templates
from kmcp_prometheus.promql.intent import Intent, read_intent

_MOST = 6
_PROBED = 3
_BAD_WORDS = re.compile(r"error|fail|5xx|abort|reject|timeout|exception", re.IGNORECASE)
_SERVER_ERROR = re.compile(r"5\d\d")
_STATUS_LABELS = (
    "code",
    "status_code",
    "status",
    "http_status_code",
    "response_code",
    "grpc_code",
    "result",
    "outcome",
)
_USED = ("used", "usage", "in_use", "working_set", "current", "active", "allocated", "size")
_LIMITS = ("limit", "max", "capacity", "total", "size", "quota")
_FREE = ("free", "available", "avail", "MemAvailable", "MemFree")


class Candidate(BaseModel):
    """An expression that may be what was asked for."""

    query: str
    why: str


@dataclass(frozen=True)
class Site:
    """What expressions are built from."""

    prometheus: Prometheus
    intent: Intent
    metrics: list[Metric]


async def build_candidates(prometheus: Prometheus, description: str) -> tuple[list[Candidate], Intent]:
    """Build candidates for a description, the best first; the intent that was read from it goes with them."""
    intent = read_intent(description)
    site = Site(prometheus, intent, await metric_index.read_metrics(prometheus))
    found: dict[str, Candidate] = {}
    for purpose in intent.purposes or ("any",):
        async for candidate in _BUILDERS[purpose](site):
            found.setdefault(candidate.query, candidate)
    if not found:
        async for candidate in _build_by_type(site):
            found.setdefault(candidate.query, candidate)
    return list(found.values())[:_MOST], intent


async def _build_rates(site: Site) -> AsyncIterator[Candidate]:
    for metric in metric_index.best(site.metrics, site.intent, "counter"):
        yield _rate(site.intent, metric)


def _rate(intent: Intent, metric: Metric) -> Candidate:
    query = templates.rate(metric.name, intent.matchers, intent.window, intent.grouping)
    return Candidate(query=query, why=f"{metric.name} is a counter: its rate per second over {intent.window}")


async def _build_quantiles(site: Site) -> AsyncIterator[Candidate]:
    for metric in metric_index.best(site.metrics, site.intent, "classic", "native"):
        yield _quantile(site.intent, metric)
    for metric in metric_index.best(site.metrics, site.intent, "classic", "summary", count=1):
        query = templates.mean(metric.name, site.intent.matchers, site.intent.window, site.intent.grouping)
        yield Candidate(query=query, why=f"mean of {metric.name} over {site.intent.window}")
    # What has no metadata counts as a gauge, so histograms that were pushed are among these.
    for metric in metric_index.best(site.metrics, site.intent, "gauge", count=_PROBED):
        if await _holds_histograms(site.prometheus, metric.name):
            yield _quantile(site.intent, replace(metric, kind="native"))


def _quantile(intent: Intent, metric: Metric) -> Candidate:
    write = templates.native_quantile if metric.kind == "native" else templates.classic_quantile
    query = write(intent.quantile, metric.name, intent.matchers, intent.window, intent.grouping)
    return Candidate(query=query, why=f"{metric.name} is a {metric.kind} histogram: its {intent.quantile:g} quantile")


async def _holds_histograms(prometheus: Prometheus, metric: str) -> bool:
    """Whether it holds native histograms; pushed metrics have no metadata that would say so."""
    selector = printing.selector(metric, [])
    reply = await prometheus.query(f"histogram_count(last_over_time({selector}[1d]))", time.time(), limit=1)
    return reply.read(lambda data: bool(data["result"]))


async def _build_error_ratios(site: Site) -> AsyncIterator[Candidate]:
    async for bad, total, why in _find_pairs(site):
        query = templates.ratio(bad, total, site.intent.window, site.intent.grouping)
        yield Candidate(query=query, why=f"share of errors, 0 to 1: {why}")


async def _build_burn_rates(site: Site) -> AsyncIterator[Candidate]:
    objective, grouping = site.intent.objective, site.intent.grouping
    async for bad, total, why in _find_pairs(site):
        # An hour and five minutes: the windows of the workbook's page for a burn rate of 14.4.
        long, short = (templates.ratio(bad, total, window, grouping) for window in ("1h", "5m"))
        aim = f"for an objective of {objective * 100:g}%: {why}"
        yield Candidate(query=templates.burn_rate(long, objective), why=f"burn rate over 1h {aim}")
        yield Candidate(query=templates.fast_burn(long, short, objective), why=f"alert on a fast burn {aim}")


async def _find_pairs(site: Site) -> AsyncIterator[tuple[tuple[str, Any], tuple[str, Any], str]]:
    """Counters of bad events and of all: one metric with a label that tells them apart, or two metrics."""
    counters = [metric for metric in site.metrics if metric.kind == "counter"]
    good = [metric for metric in counters if not _BAD_WORDS.search(metric.name)]
    for total in metric_index.best(good, site.intent, "counter"):
        marking = await _find_bad_matcher(site, total.name)
        own = list(site.intent.matchers)
        if marking:
            yield (total.name, [*own, marking]), (total.name, own), f"{printing.matcher(marking)} marks the errors"
    for bad in metric_index.best(
        [metric for metric in counters if _BAD_WORDS.search(metric.name)], site.intent, "counter", count=1
    ):
        whole = max(good, key=lambda metric: len(metric.words() & bad.words()), default=None)
        if whole and len(whole.words() & bad.words()) > 1:
            yield (bad.name, site.intent.matchers), (whole.name, site.intent.matchers), f"{bad.name} of {whole.name}"


async def _find_bad_matcher(site: Site, metric: str) -> dict[str, str] | None:
    """Find the matcher that keeps only the bad events of a counter, by the values of its labels."""
    for label in _STATUS_LABELS:
        values = (await site.prometheus.list_label_values(label, [names.selector_by_name(metric)])).texts()
        if any(_SERVER_ERROR.fullmatch(value) for value in values):
            return {"name": label, "type": "=~", "value": "5.."}
        bad = sorted(value for value in values if _BAD_WORDS.search(value))
        if bad:
            return {"name": label, "type": "=~", "value": "|".join(re.escape(value) for value in bad)}
        # gRPC codes are words; without a failed request so far, only the good one exists.
        if "OK" in values:
            return {"name": label, "type": "!=", "value": "OK"}
    return None


async def _build_saturations(site: Site) -> AsyncIterator[Candidate]:
    intent, gauges = site.intent, {metric.name for metric in site.metrics}
    if "cpu" in intent.words and "node_cpu_seconds_total" in gauges:
        idle = {"name": "mode", "type": "=", "value": "idle"}
        grouping = intent.grouping or ("instance",)
        inner = f"rate({printing.selector('node_cpu_seconds_total', [*intent.matchers, idle])}[{intent.window}])"
        yield Candidate(query=f"1 - {templates.by('avg', grouping, inner)}", why="share of CPU time that is not idle")
    for metric in metric_index.best(site.metrics, intent, "gauge", "counter", count=8):
        for query, why in _shares(metric.name, gauges, intent):
            yield Candidate(query=query, why=why)


def _shares(name: str, known: set[str], intent: Intent) -> list[tuple[str, str]]:
    """Used or free shares that a metric and its counterpart make."""
    found = []
    for limit in (candidate for word in _LIMITS for candidate in _counterparts(name, word, known)):
        if any(_has(name, word) for word in _FREE):
            query = templates.used_of_free(name, limit, intent.matchers, intent.grouping)
            found.append((query, f"1 minus the free share: {name} of {limit}"))
        elif any(_has(name, word) for word in _USED):
            found.append((templates.saturation(name, limit, intent.matchers, intent.grouping), f"{name} of {limit}"))
    return found


def _counterparts(name: str, word: str, known: set[str]) -> list[str]:
    """Metrics whose names differ only in the word for used or free."""
    replaced = (re.sub(rf"(?i){old}", word, name) for old in (*_FREE, *_USED) if _has(name, old))
    # The node exporter's names of memory follow /proc/meminfo, not Prometheus' conventions.
    total = name.replace("MemAvailable", "MemTotal").replace("MemFree", "MemTotal")
    return [other for other in dict.fromkeys([*replaced, total]) if other in known and other != name]


def _has(name: str, word: str) -> bool:
    return word.lower() in name.lower()


async def _build_absences(site: Site) -> AsyncIterator[Candidate]:
    intent = site.intent
    if any(metric.name == "up" for metric in site.metrics):
        up = printing.selector("up", list(intent.matchers))
        yield Candidate(query=f"{up} == 0", why="targets that cannot be scraped")
    for metric in metric_index.best(site.metrics, intent, "counter", "gauge", "native", "other"):
        yield Candidate(query=templates.absent(metric.name, intent.matchers), why=f"1 while there is no {metric.name}")
        over = templates.absent(metric.name, intent.matchers, intent.window)
        yield Candidate(query=over, why=f"1 when {metric.name} had no sample in {intent.window}")


async def _build_by_type(site: Site) -> AsyncIterator[Candidate]:
    """By the type of the metrics that fit best, when the words name no purpose."""
    intent = site.intent
    for metric in metric_index.best(site.metrics, intent, "counter", "gauge", "classic", "native", "summary", "other"):
        if metric.kind == "counter":
            yield _rate(intent, metric)
        elif metric.kind in ("classic", "native"):
            yield _quantile(intent, metric)
        else:
            query = templates.by("sum", intent.grouping, printing.selector(metric.name, list(intent.matchers)))
            yield Candidate(query=query, why=f"values of {metric.name}, a {metric.kind}, summed")


_BUILDERS: dict[str, Callable[[Site], AsyncIterator[Candidate]]] = {
    "burn": _build_burn_rates,
    "errors": _build_error_ratios,
    "quantile": _build_quantiles,
    "saturation": _build_saturations,
    "absent": _build_absences,
    "rate": _build_rates,
    "any": _build_by_type,
}
