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
from kmcp_prometheus.promql import intent, printing, templates
from kmcp_prometheus.promql.intent import Wish

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
    """What expressions are built with."""

    prometheus: Prometheus
    wish: Wish
    stock: list[Metric]


async def built(prometheus: Prometheus, description: str) -> tuple[list[Candidate], Wish]:
    """The candidates, best first."""
    wish = intent.read(description)
    site = Site(prometheus, wish, await metric_index.metrics(prometheus))
    found: dict[str, Candidate] = {}
    for purpose in wish.intents or ("any",):
        async for candidate in _BUILDERS[purpose](site):
            found.setdefault(candidate.query, candidate)
    if not found:
        async for candidate in _any(site):
            found.setdefault(candidate.query, candidate)
    return list(found.values())[:_MOST], wish


async def _rates(site: Site) -> AsyncIterator[Candidate]:
    for metric in metric_index.best(site.stock, site.wish, "counter"):
        yield _rate(site.wish, metric)


def _rate(wish: Wish, metric: Metric) -> Candidate:
    query = templates.rate(metric.name, wish.matchers, wish.window, wish.grouping)
    return Candidate(query=query, why=f"{metric.name} is a counter: its rate per second over {wish.window}")


async def _quantiles(site: Site) -> AsyncIterator[Candidate]:
    for metric in metric_index.best(site.stock, site.wish, "classic", "native"):
        yield _quantile(site.wish, metric)
    for metric in metric_index.best(site.stock, site.wish, "classic", "summary", count=1):
        query = templates.mean(metric.name, site.wish.matchers, site.wish.window, site.wish.grouping)
        yield Candidate(query=query, why=f"mean of {metric.name} over {site.wish.window}")
    for metric in metric_index.best(site.stock, site.wish, "gauge", count=_PROBED):
        if await _is_native(site.prometheus, metric.name):
            yield _quantile(site.wish, replace(metric, kind="native"))


def _quantile(wish: Wish, metric: Metric) -> Candidate:
    write = templates.native_quantile if metric.kind == "native" else templates.classic_quantile
    query = write(wish.quantile, metric.name, wish.matchers, wish.window, wish.grouping)
    return Candidate(query=query, why=f"{metric.name} is a {metric.kind} histogram: its {wish.quantile:g} quantile")


async def _is_native(prometheus: Prometheus, metric: str) -> bool:
    """Whether it holds histograms although nobody says so: what is pushed has no metadata."""
    selector = printing.selector(metric, [])
    reply = await prometheus.query(f"histogram_count(last_over_time({selector}[1d]))", time.time(), limit=1)
    return reply.read(lambda data: bool(data["result"]))


async def _errors(site: Site) -> AsyncIterator[Candidate]:
    async for bad, total, why in _pairs(site):
        query = templates.ratio(bad, total, site.wish.window, site.wish.grouping)
        yield Candidate(query=query, why=f"share of errors, 0 to 1: {why}")


async def _burns(site: Site) -> AsyncIterator[Candidate]:
    objective, grouping = site.wish.objective, site.wish.grouping
    async for bad, total, why in _pairs(site):
        long, short = (templates.ratio(bad, total, window, grouping) for window in ("1h", "5m"))
        told = f"for an objective of {objective * 100:g}%: {why}"
        yield Candidate(query=templates.burn_rate(long, objective), why=f"burn rate over 1h {told}")
        yield Candidate(query=templates.fast_burn(long, short, objective), why=f"alert on a fast burn {told}")


async def _pairs(site: Site) -> AsyncIterator[tuple[tuple[str, Any], tuple[str, Any], str]]:
    """Counters of bad events and of all: one metric with a label that tells, or two."""
    counters = [metric for metric in site.stock if metric.kind == "counter"]
    good = [metric for metric in counters if not _BAD_WORDS.search(metric.name)]
    for total in metric_index.best(good, site.wish, "counter"):
        telling = await _telling(site, total.name)
        own = list(site.wish.matchers)
        if telling:
            yield (total.name, [*own, telling]), (total.name, own), f"{printing.matcher(telling)} tells"
    for bad in metric_index.best(
        [metric for metric in counters if _BAD_WORDS.search(metric.name)], site.wish, "counter", count=1
    ):
        whole = max(good, key=lambda metric: len(metric.words() & bad.words()), default=None)
        if whole and len(whole.words() & bad.words()) > 1:
            yield (bad.name, site.wish.matchers), (whole.name, site.wish.matchers), f"{bad.name} of {whole.name}"


async def _telling(site: Site, metric: str) -> dict[str, str] | None:
    """The matcher that keeps the bad events of a counter, by the values that its labels have."""
    for label in _STATUS_LABELS:
        values = (await site.prometheus.label_values(label, [names.named(metric)])).texts()
        if any(_SERVER_ERROR.fullmatch(value) for value in values):
            return {"name": label, "type": "=~", "value": "5.."}
        bad = sorted(value for value in values if _BAD_WORDS.search(value))
        if bad:
            return {"name": label, "type": "=~", "value": "|".join(re.escape(value) for value in bad)}
        if "OK" in values:
            return {"name": label, "type": "!=", "value": "OK"}
    return None


async def _saturations(site: Site) -> AsyncIterator[Candidate]:
    wish, gauges = site.wish, {metric.name for metric in site.stock}
    if "cpu" in wish.words and "node_cpu_seconds_total" in gauges:
        idle = {"name": "mode", "type": "=", "value": "idle"}
        grouping = wish.grouping or ("instance",)
        inner = f"rate({printing.selector('node_cpu_seconds_total', [*wish.matchers, idle])}[{wish.window}])"
        yield Candidate(query=f"1 - {templates.by('avg', grouping, inner)}", why="share of CPU time that is not idle")
    for metric in metric_index.best(site.stock, wish, "gauge", "counter", count=8):
        for query, why in _shares(metric.name, gauges, wish):
            yield Candidate(query=query, why=why)


def _shares(name: str, known: set[str], wish: Wish) -> list[tuple[str, str]]:
    """Used or free shares that a metric and its counterpart make."""
    found = []
    for limit in (candidate for word in _LIMITS for candidate in _counterparts(name, word, known)):
        if any(_has(name, word) for word in _FREE):
            query = templates.used_of_free(name, limit, wish.matchers, wish.grouping)
            found.append((query, f"1 less the free share: {name} of {limit}"))
        elif any(_has(name, word) for word in _USED):
            found.append((templates.saturation(name, limit, wish.matchers, wish.grouping), f"{name} of {limit}"))
    return found


def _counterparts(name: str, word: str, known: set[str]) -> list[str]:
    """Metrics of the same name but for the word that says used or free."""
    replaced = (re.sub(rf"(?i){old}", word, name) for old in (*_FREE, *_USED) if _has(name, old))
    total = name.replace("MemAvailable", "MemTotal").replace("MemFree", "MemTotal")
    return [other for other in dict.fromkeys([*replaced, total]) if other in known and other != name]


def _has(name: str, word: str) -> bool:
    return word.lower() in name.lower()


async def _absences(site: Site) -> AsyncIterator[Candidate]:
    wish = site.wish
    if any(metric.name == "up" for metric in site.stock):
        up = printing.selector("up", list(wish.matchers))
        yield Candidate(query=f"{up} == 0", why="targets that cannot be scraped")
    for metric in metric_index.best(site.stock, wish, "counter", "gauge", "native", "other"):
        yield Candidate(query=templates.absent(metric.name, wish.matchers), why=f"1 while there is no {metric.name}")
        over = templates.absent(metric.name, wish.matchers, wish.window)
        yield Candidate(query=over, why=f"1 when {metric.name} had no sample in {wish.window}")


async def _any(site: Site) -> AsyncIterator[Candidate]:
    """By the type of the metrics that fit best, when the words name no purpose."""
    wish = site.wish
    for metric in metric_index.best(site.stock, wish, "counter", "gauge", "classic", "native", "summary", "other"):
        if metric.kind == "counter":
            yield _rate(wish, metric)
        elif metric.kind in ("classic", "native"):
            yield _quantile(wish, metric)
        else:
            query = templates.by("sum", wish.grouping, printing.selector(metric.name, list(wish.matchers)))
            yield Candidate(query=query, why=f"values of {metric.name}, a {metric.kind}, summed")


_BUILDERS: dict[str, Callable[[Site], AsyncIterator[Candidate]]] = {
    "burn": _burns,
    "errors": _errors,
    "quantile": _quantiles,
    "saturation": _saturations,
    "absent": _absences,
    "rate": _rates,
    "any": _any,
}
