"""Expressions of one metric, by its type and what is asked of it; for each series, where that means something."""

import re
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Literal

from kmcp_prometheus.guidance.labelling import STATUSES, Labels
from kmcp_prometheus.guidance.metric_index import Metric
from kmcp_prometheus.promql import lexicon, printing, templates
from kmcp_prometheus.promql.intent import Intent
from kmcp_prometheus.promql.lexicon import stem

Scale = Literal["share", "seconds", "milliseconds", "events", "other"]
_COUNTING_WINDOW = "1h"
BAD = re.compile(r"error|errs\b|_err_|fail|5xx|abort|reject|timeout|exception|server_error|internal|unavailable", re.I)
GOOD = re.compile(r"^(?:ok|success\w*|succeeded|done|completed|true|passed)$", re.I)
_BAD_LABELS = (
    *("result", "outcome", "status", "state", "grpc_code", "grpc_status", "rpc_grpc_status_code", "code"),
    *("success", "error", "level", "severity"),
)
_MOMENT = re.compile(
    r"_timestamp_seconds$|_timestamp$|start_time_seconds$|boot_time_seconds$|_created$|last_\w+_seconds$"
)
_MOMENT_HELP = re.compile(r"unixtime|unix time|since (?:the )?(?:unix )?epoch|unix timestamp|timestamp of", re.I)
_ENDING = re.compile(r"expir|not_after|notafter|valid_until", re.I)
_PAIRS = (("hits", "misses"), ("hit", "miss"), ("hit", "read"), ("success", "failure"), ("succeeded", "failed"))
USED = (
    "used",
    "usage",
    "in_use",
    "working_set",
    "connected",
    "current",
    "active",
    "allocated",
    "open",
    "size",
    "live",
)
_FREE = ("MemAvailable", "MemFree", "available", "avail", "free")
_LIMITS = ("limit", "max", "maximum", "capacity", "total", "size", "quota", "MemTotal")


@dataclass(frozen=True)
class Draft:
    """An expression before groups, limits and ranking are put around it."""

    query: str
    why: str
    op: str = "sum"
    groups: tuple[str, ...] = ()
    """The groups where the description names none."""
    together: bool = False
    """Whether all series are put together where no groups are asked for."""
    scale: Scale = "other"
    flag: bool = False
    finished: bool = False
    """Whether groups, labels and windows are in it already."""


def drafts_of(metric: Metric, intent: Intent, labels: Labels, known: Set[str]) -> list[Draft]:
    """The expressions for a metric, the best first."""
    if metric.kind in ("classic", "native"):
        return _of_histogram(metric, intent, labels)
    if metric.kind == "summary":
        return _of_summary(metric, intent, labels)
    if metric.kind == "counter":
        return _of_counter(metric, intent, labels, known)
    return _of_gauge(metric, intent, known)


def bad_matcher(labels: Labels) -> dict[str, str] | None:
    """The matcher that keeps only what went wrong, by the values of the labels; None when nothing tells it."""
    for name in (*STATUSES, *_BAD_LABELS):
        label = labels.named(name)
        values = labels.values[label] if label else frozenset()
        if any(re.fullmatch(r"5\d\d|5xx", value) for value in values):
            return {"name": str(label), "type": "=~", "value": "5.."}
        bad = sorted(value for value in values if BAD.search(value))
        # Codes of gRPC are words, of which all but one are failures.
        if "OK" in values:
            return {"name": str(label), "type": "!=", "value": "OK"}
        if bad:
            return {"name": str(label), "type": "=~", "value": "|".join(re.escape(value) for value in bad)}
    return None


def _select(name: str) -> str:
    return printing.selector(name, [])


def _rate(name: str, window: str, function: str = "rate") -> str:
    return f"{function}({_select(name)}[{window}])"


def _of_counter(metric: Metric, intent: Intent, labels: Labels, known: Set[str]) -> list[Draft]:
    name = metric.name
    if intent.wants("share"):
        pair = _hit_pair(name, known)
        if pair:
            hit, miss = (_rate(one, intent.window) for one in pair)
            query = f"{hit} / ({hit} + {miss})"
            if re.search(r"\bmiss", intent.text):
                query = f"{miss} / ({hit} + {miss})"
            return [Draft(query, f"share of {pair[0]} and {pair[1]}", together=True, scale="share")]
    return [_count(name, intent, f"{name} is a counter")]


def _count(name: str, intent: Intent, what: str) -> Draft:
    counted = intent.wants("count") and not intent.wants("rate")
    if intent.during or counted or intent.offset or (intent.wants("change") and intent.window_given):
        window = intent.window if intent.window_given else _COUNTING_WINDOW
        if not intent.wants("rate") or (intent.during and intent.every and not re.search(r"\bper\b", intent.text)):
            return Draft(_rate(name, window, "increase"), f"{what}: its increase over {window}", together=True)
    query, per = _rate(name, intent.window), "second"
    if intent.every:
        seconds = {"minute": 60, "hour": 3600, "day": 86400}[intent.every]
        query, per = f"{query} * {seconds}", intent.every
    return Draft(query, f"{what}: its rate per {per} over {intent.window}", together=True, scale="events")


def _hit_pair(name: str, known: Set[str]) -> tuple[str, str] | None:
    for hit, miss in _PAIRS:
        for one, other in ((hit, miss), (miss, hit)):
            partner = re.sub(rf"(?<![a-z]){one}(?![a-z])", other, name)
            if partner != name and partner in known:
                return (name, partner) if one == hit else (partner, name)
    return None


def _of_histogram(metric: Metric, intent: Intent, labels: Labels) -> list[Draft]:
    scale: Scale = "milliseconds" if "millisecond" in metric.name else "seconds"
    classic = metric.kind == "classic"
    quantile = _quantile(metric, intent, scale)
    mean = Draft(
        templates.mean(metric.name, (), intent.window, ())
        if classic
        else f"histogram_avg({_rate(metric.name, intent.window)})",
        f"mean of {metric.name} over {intent.window}",
        together=True,
        scale=scale,
    )
    asks_count = intent.wants("rate", "count") or (intent.during and not intent.wants("quantile", "mean"))
    if asks_count and not _asks_time(intent):
        if classic:
            return [_count(f"{metric.name}_count", intent, f"{metric.name} counts what it measures"), quantile]
        rate = f"histogram_count({_rate(metric.name, intent.window)})"
        return [Draft(rate, f"observations of {metric.name} per second", together=True), quantile]
    return [mean, quantile] if intent.wants("mean") else [quantile, mean]


def _asks_time(intent: Intent) -> bool:
    return bool(
        re.search(r"\bp\d|percentile|quantile|median|latenc|duration|response time|how long|slowest|slow ", intent.text)
    )


def _quantile(metric: Metric, intent: Intent, scale: Scale) -> Draft:
    write = templates.native_quantile if metric.kind == "native" else templates.classic_quantile
    query = write(intent.quantile, metric.name, (), intent.window, ())
    why = f"{metric.name} is a {metric.kind} histogram: its {intent.quantile:g} quantile over {intent.window}"
    return Draft(query, why, together=True, scale=scale)


def _of_summary(metric: Metric, intent: Intent, labels: Labels) -> list[Draft]:
    mean = Draft(
        templates.mean(metric.name, (), intent.window, ()),
        f"mean of {metric.name} over {intent.window}",
        together=True,
        scale="seconds",
    )
    count = _count(f"{metric.name}_count", intent, f"{metric.name} counts what it measures")
    ready = next((value for value in labels.values.get("quantile", ()) if float(value) == intent.quantile), None)
    if ready and intent.wants("quantile"):
        query = printing.selector(metric.name, [{"name": "quantile", "type": "=", "value": ready}])
        return [Draft(query, f"the {ready} quantile, as {metric.name} reports it", "max", scale="seconds"), mean]
    if intent.wants("rate", "count") and not _asks_time(intent):
        return [count, mean]
    return [mean, count]


def _of_gauge(metric: Metric, intent: Intent, known: Set[str]) -> list[Draft]:
    name = metric.name
    plain = Draft(_select(name), f"values of {name}, a {metric.kind}", scale=_unit(name))
    moment = _of_moment(metric, intent)
    if moment:
        return [moment, plain]
    if intent.wants("predict"):
        return [plain]
    if intent.wants("change"):
        span = intent.window if intent.window_given else _COUNTING_WINDOW
        query = f"delta({_select(name)}[{span}])"
        return [replace(plain, query=query, why=f"change of {name} over {span}"), plain]
    if intent.wants("saturation", "share") and not intent.wants("amount"):
        shares = [Draft(query, why, scale="share") for query, why in _shares(name, known)]
        return [*shares, plain]
    op = next(
        (op for purpose, op in (("mean", "avg"), ("highest", "max"), ("lowest", "min")) if intent.wants(purpose)), ""
    )
    if op and intent.window_given:
        query = f"{op}_over_time({_select(name)}[{intent.window}])"
        return [Draft(query, f"{op} of {name} over {intent.window}", op, together=True, scale=_unit(name)), plain]
    if op:
        return [replace(plain, op=op, together=True, why=f"{op} of {name}")]
    return [replace(plain, together=intent.wants("count"))]


def _unit(name: str) -> Scale:
    if "millisecond" in name:
        return "milliseconds"
    if "second" in name:
        return "seconds"
    return "share" if name.endswith(("_ratio", "_percentage")) else "other"


def _of_moment(metric: Metric, intent: Intent) -> Draft | None:
    """Time since or until a moment, which a metric tells as seconds since 1970."""
    is_end = bool(_ENDING.search(metric.name))
    if not (is_end or _MOMENT.search(metric.name) or _MOMENT_HELP.search(metric.help)):
        return None
    selector = _select(metric.name)
    query = f"{selector} - time()" if is_end else f"time() - {selector}"
    why = f"seconds {'until' if is_end else 'since'} the moment that {metric.name} tells"
    return Draft(query, why, "min", scale="seconds")


def _shares(name: str, known: Set[str]) -> list[tuple[str, str]]:
    """Used or free shares that a metric and its counterpart make."""
    found = []
    for limit in (candidate for word in _LIMITS for candidate in _counterparts(name, word, known)):
        if any(_has(name, word) for word in _FREE):
            found.append((f"1 - {_select(name)} / {_select(limit)}", f"1 minus the free share: {name} of {limit}"))
        elif any(_has(name, word) for word in USED):
            found.append((f"{_select(name)} / {_select(limit)}", f"{name} of {limit}"))
    return found


def _counterparts(name: str, word: str, known: Set[str]) -> list[str]:
    """Metrics that name the limit of this one: the same name with another word, or nearly all of its words."""
    replaced = [re.sub(rf"(?i){old}", word, name) for old in (*_FREE, *USED) if _has(name, old)]
    exact = [other for other in dict.fromkeys(replaced) if other in known and other != name]
    if exact or word not in ("limit", "max", "maximum", "capacity"):
        return exact
    own = _subject(name)
    near = [
        other for other in known if word in lexicon.tokens(other) and _subject(other) & own == _subject(other) != set()
    ]
    return sorted(near, key=lambda other: (-len(_subject(other)), other))[:1]


_GENERIC = frozenset(
    map(
        stem,
        (
            *("total", "seconds", "bytes", "max", "maximum", "limit", "capacity", "used", "usage", "active", "current"),
            *("status", "global", "variables", "settings", "stat", "stats", "count", "number", "size", "open", "live"),
            *("threads", "activity"),
        ),
    )
)


def _subject(name: str) -> set[str]:
    """The words of a name that say what is measured; `connected` and `connections` are one."""
    return {stem(token) for token in lexicon.tokens(name)} - _GENERIC


def _has(name: str, word: str) -> bool:
    return word.lower() in name.lower()
