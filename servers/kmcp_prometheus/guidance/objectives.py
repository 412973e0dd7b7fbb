"""Shares of errors and burn rates of an objective: counters of what went wrong and of everything."""

import re
from collections.abc import Iterator

from kmcp_prometheus.guidance.drafts import BAD, Draft, bad_matcher
from kmcp_prometheus.guidance.labelling import Labels, Narrowed
from kmcp_prometheus.guidance.metric_index import Metric
from kmcp_prometheus.promql import printing, templates
from kmcp_prometheus.promql.intent import Intent

Side = tuple[str, list[dict[str, str]]]
_COUNTED = "1h"


def burn_drafts(
    metric: Metric, intent: Intent, labels: Labels, narrowed: Narrowed, metrics: list[Metric]
) -> list[Draft]:
    objective, groups = intent.objective, narrowed.groups
    drafts = []
    for bad, total, why in _pairs(metric, labels, narrowed, metrics):
        # An hour and five minutes: the windows of the workbook's page for a burn rate of 14.4.
        long, short = (templates.ratio(bad, total, window, groups) for window in ("1h", "5m"))
        aim = f"for an objective of {objective * 100:g}%: {why}"
        drafts += [
            Draft(templates.burn_rate(long, objective), f"burn rate over 1h {aim}", finished=True),
            Draft(templates.fast_burn(long, short, objective), f"alert on a fast burn {aim}", finished=True),
        ]
    return drafts


def error_drafts(
    metric: Metric, intent: Intent, labels: Labels, narrowed: Narrowed, metrics: list[Metric]
) -> list[Draft]:
    """The share of what went wrong, or how much of it there was where the description counts."""
    for bad, total, why in _pairs(metric, labels, narrowed, metrics):
        if intent.wants("share") or not _counts(intent):
            query = templates.ratio(bad, total, intent.window, narrowed.groups)
            if intent.wants("success") and not intent.statuses and not re.search("fail|error", intent.text):
                return [Draft(f"1 - {query}", f"share of success, 0 to 1: {why}", scale="share", finished=True)]
            return [Draft(query, f"share of errors, 0 to 1: {why}", scale="share", finished=True)]
        return [_counted(bad, intent, narrowed, why)]
    return []


def _counts(intent: Intent) -> bool:
    """Whether errors are counted rather than compared with everything."""
    return bool(intent.statuses) or intent.wants("count", "rate", "errors") or intent.during


def _counted(bad: Side, intent: Intent, narrowed: Narrowed, why: str) -> Draft:
    selector = printing.selector(bad[0], bad[1])
    if (intent.during or intent.wants("count")) and not intent.wants("rate"):
        window = intent.window if intent.window_given else _COUNTED
        query = templates.by("sum", narrowed.groups, f"increase({selector}[{window}])")
        return Draft(query, f"errors within {window}: {why}", finished=True)
    query = templates.by("sum", narrowed.groups, f"rate({selector}[{intent.window}])")
    seconds = {"minute": 60, "hour": 3600, "day": 86400}.get(intent.every)
    unit = intent.every or "second"
    return Draft(
        f"{query} * {seconds}" if seconds else query, f"errors per {unit}: {why}", finished=True, scale="events"
    )


def _pairs(
    metric: Metric, labels: Labels, narrowed: Narrowed, metrics: list[Metric]
) -> Iterator[tuple[Side, Side, str]]:
    """Counters of bad events and of all: one metric with a label that tells them apart, or two metrics."""
    if metric.kind not in ("counter", "classic", "summary"):
        return
    name = metric.name if metric.kind == "counter" else f"{metric.name}_count"
    chosen = [dict(one) for one in narrowed.matchers]
    marking = bad_matcher(labels)
    told = [one for one in chosen if one["name"] in _telling(labels, marking)]
    rest = [one for one in chosen if one not in told]
    if told:
        yield (name, chosen), (name, rest), f"{', '.join(map(printing.matcher, told))} marks them"
    elif marking:
        yield (name, [*chosen, marking]), (name, chosen), f"{printing.matcher(marking)} marks the errors"
    elif BAD.search(name):
        good = [other for other in metrics if other.kind == "counter" and not BAD.search(other.name)]
        whole = max(good, key=lambda other: len(other.stems & metric.stems), default=None)
        if whole and len(whole.stems & metric.stems) > 1:
            yield (name, chosen), (whole.name, chosen), f"{name} of {whole.name}"


def _telling(labels: Labels, marking: dict[str, str] | None) -> set[str]:
    """Labels by which bad events are told from good ones."""
    return {name for name in (labels.status(), marking and marking["name"]) if name}
