"""Expressions built from a description: its words choose the template, the metrics that exist fill it in."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import metric_index, names, recipes
from kmcp_prometheus.guidance.drafts import BAD, USED, Draft, bad_matcher, drafts_of
from kmcp_prometheus.guidance.finishing import finish
from kmcp_prometheus.guidance.labelling import Labels, Narrowed, narrow, read_labels
from kmcp_prometheus.guidance.metric_index import Metric
from kmcp_prometheus.guidance.objectives import burn_drafts, error_drafts
from kmcp_prometheus.promql import lexicon, printing, templates, trees
from kmcp_prometheus.promql.intent import Intent, read_intent
from kmcp_prometheus.promql.lexicon import stem
from kmcp_prometheus.promql.parser import parse

_MOST = 6
_LOOKED_AT = 12
_CHOSEN = 2
_SURE = 0.6
"""The share of words that have to be explained by a metric, its labels or their values."""
_SOFT = frozenset(
    map(
        stem,
        re.findall(
            r"\w+",
            """
            latency duration response error errors fail failed failing failure successful success usage used use
            utilization utilisation saturation full free traffic uptime age old expire expires expired grew grown
            growth down up change changed increase decrease slow slowest rate happen happened request requests number
            average running right receive get app service server http second minute hit miss run limit available time
            call absent missing burn budget slo objective stopped unreachable data per current unhealthy healthy
            """,
        ),
    )
)
"""Words that say what is computed rather than of what; that no metric has them means nothing."""
_TIMES = frozenset(map(stem, ("seconds", "milliseconds", "duration", "latency")))


class Candidate(BaseModel):
    """An expression that may be what was asked for."""

    query: str
    why: str


@dataclass
class Built:
    """The candidates, the best first, or questions where the description is not clear enough."""

    intent: Intent
    candidates: list[Candidate] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fitting:
    """A metric with its labels, and how well it fits."""

    metric: Metric
    labels: Labels
    narrowed: Narrowed
    score: float
    unexplained: tuple[str, ...]


async def build_candidates(prometheus: Prometheus, description: str) -> Built:
    """Build candidates for a description, the best first; unclear ones get questions in their place."""
    intent = read_intent(description)
    known = await names.list_metrics(prometheus)
    metrics = await metric_index.read_metrics(prometheus, known)
    built = Built(intent)
    fitting = await _find_fitting(prometheus, metrics, intent)
    drafts = await _draft(prometheus, intent, metrics, frozenset(known), fitting, built)
    found: dict[str, Candidate] = {}
    for draft, narrowed in drafts:
        query = finish(draft, intent, narrowed)
        found.setdefault(query, Candidate(query=query, why=draft.why))
    built.candidates = list(found.values())[:_MOST]
    return built


async def _draft(
    prometheus: Prometheus,
    intent: Intent,
    metrics: list[Metric],
    known: frozenset[str],
    fitting: list[Fitting],
    built: Built,
) -> list[tuple[Draft, Narrowed]]:
    particular = [] if any(one.metric.is_named(intent) for one in fitting) else recipes.find_recipes(intent, known)
    drafts = await _of_recipes(prometheus, intent, particular[:_CHOSEN], built)
    if drafts and not built.questions:
        return drafts
    if built.questions or not fitting:
        return drafts
    best = fitting[0]
    if _ask_about(best, fitting, intent, built):
        return []
    for one in fitting[:_CHOSEN]:
        if one.score >= best.score / 2:
            drafts += [(draft, one.narrowed) for draft in await _of_metric(prometheus, one, intent, metrics, known)]
    return drafts


async def _of_metric(
    prometheus: Prometheus, one: Fitting, intent: Intent, metrics: list[Metric], known: frozenset[str]
) -> list[Draft]:
    if intent.wants("burn") and (drafts := burn_drafts(one.metric, intent, one.labels, one.narrowed, metrics)):
        return drafts
    if intent.wants("absent"):
        return _absences(one, intent)
    if intent.wants("errors") and (drafts := error_drafts(one.metric, intent, one.labels, one.narrowed, metrics)):
        return drafts
    metric = one.metric
    # What has no metadata counts as a gauge, so native histograms that were pushed are among these.
    if metric.kind == "gauge" and intent.wants("quantile") and await _holds_histograms(prometheus, metric.name):
        metric = replace(metric, kind="native")
    drafts = drafts_of(metric, intent, one.labels, known)
    return [await _matched(prometheus, draft, one.labels) if draft.scale == "share" else draft for draft in drafts]


async def _matched(prometheus: Prometheus, draft: Draft, labels: Labels) -> Draft:
    """A quotient of metrics with different labels is one of sums by the labels that both have."""
    metrics = [selector.metric for selector in trees.selectors(parse(draft.query))]
    others = await read_labels(prometheus, list(dict.fromkeys(metrics[1:])))
    if draft.together or all(one.values.keys() == labels.values.keys() for one in others):
        return draft
    shared = set(labels.values).intersection(*(one.values for one in others))
    return replace(draft, together=True, groups=tuple(sorted(shared)))


async def _holds_histograms(prometheus: Prometheus, metric: str) -> bool:
    """Whether it holds native histograms; pushed metrics have no metadata that would say so."""
    selector = printing.selector(metric, [])
    reply = await prometheus.query(f"histogram_count(last_over_time({selector}[1d]))", time.time(), limit=1)
    return reply.read(lambda data: bool(data["result"]))


def _absences(one: Fitting, intent: Intent) -> list[Draft]:
    name, matchers = one.metric.series(), one.narrowed.matchers
    now, over = templates.absent(name, matchers), templates.absent(name, matchers, intent.window)
    return [
        Draft(now, f"1 while there is no {name}", finished=True),
        Draft(over, f"1 when {name} had no sample in {intent.window}", finished=True),
    ]


async def _of_recipes(
    prometheus: Prometheus, intent: Intent, particular: Sequence[recipes.Recipe], built: Built
) -> list[tuple[Draft, Narrowed]]:
    drafts: list[tuple[Draft, Narrowed]] = []
    for recipe in particular:
        first, *others = await read_labels(prometheus, list(dict.fromkeys(recipe.metrics())))
        name = Metric(recipe.metrics()[0], "other")
        shared = Labels(
            {label: values for label, values in first.values.items() if all(label in one.values for one in others)}
        )
        narrowed = narrow(intent, shared, name.stems)
        rest = _unexplained(intent, narrowed, shared, name)
        rest = [word for word in rest if not recipe.explains(word)]
        if rest and not built.questions and not drafts:
            continue
        if narrowed.unknown_groups and not drafts:
            built.questions.append(_no_such_label(name.name, narrowed.unknown_groups[0], shared))
            return []
        draft = Draft(recipe.query, recipe.why, recipe.op, recipe.groups, flag=recipe.flag, scale=recipe.scale())
        drafts.append((draft, narrowed))
    return drafts


def _no_such_label(metric: str, phrase: str, labels: Labels) -> str:
    have = ", ".join(sorted(label for label in labels.values if label != "le")) or "none"
    return f"By which label? {metric} has none for {phrase!r}; its labels are: {have}."


async def _find_fitting(prometheus: Prometheus, metrics: list[Metric], intent: Intent) -> list[Fitting]:
    """The metrics that fit best, with their labels; whatever was written out comes first."""
    words = intent.stems
    named = [metric for metric in metrics if metric.is_named(intent)]
    scored = sorted(metrics, key=lambda metric: (-_first_score(metric, intent, words), metric.name))
    looked_at = list(dict.fromkeys([*named, *scored[:_LOOKED_AT]]))
    labels = await read_labels(prometheus, [metric.series() for metric in looked_at])
    fitting = [_fit(metric, own, intent, metric in named) for metric, own in zip(looked_at, labels, strict=True)]
    return sorted((one for one in fitting if one.score > 0.2), key=lambda one: (-one.score, one.metric.name))


def _first_score(metric: Metric, intent: Intent, words: frozenset[str]) -> float:
    return metric.score(words) + _kind_bonus(metric, intent)


def _fit(metric: Metric, labels: Labels, intent: Intent, is_named: bool) -> Fitting:
    narrowed = narrow(intent, labels, metric.stems)
    values = {stem(word) for word in narrowed.words}
    rest = [word for word in intent.stems if word not in values]
    score = metric.score(rest) + 0.9 * len(intent.stems & values)
    score += 0.4 * sum(metric.fit(word) == 0 and word in labels.tokens() for word in rest)
    score += 0.5 * len(narrowed.groups) - 0.5 * len(narrowed.unknown_groups)
    score += sum(0.8 if stem(label) in intent.stems else 0.2 for label in narrowed.ranked)
    if not any(metric.fit(word) > 0.25 for word in rest) and not values and not narrowed.ranked:
        score = 0
    status = labels.status()
    if intent.statuses and not (status and labels.values[status] & set(intent.statuses)):
        score -= 0.5 if status else 1
    return Fitting(
        metric,
        labels,
        narrowed,
        100 if is_named else score + (_kind_bonus(metric, intent) if score > 0 else 0),
        tuple(_unexplained(intent, narrowed, labels, metric)),
    )


def _kind_bonus(metric: Metric, intent: Intent) -> float:
    kind, unit = metric.kind, intent.bound.unit if intent.bound else ""
    if unit in ("bytes", "seconds") and unit in metric.name:
        return 0.6
    if intent.wants("saturation", "share") and any(word in metric.name for word in USED):
        return 0.3
    if intent.wants("change", "predict"):
        return 0.6 if kind == "gauge" else 0
    if intent.wants("quantile"):
        # What was pushed has neither type nor help; it may be a native histogram.
        pushed = 0.5 if kind == "gauge" and not metric.help and metric.stems & _TIMES else 0
        return {"classic": 1.2, "native": 1.2, "summary": 0.6}.get(kind, pushed)
    if intent.wants("mean") and kind in ("classic", "native", "summary"):
        return 0.3
    if intent.wants("rate", "errors", "burn") or intent.during or intent.every:
        return {"counter": 0.5, "classic": 0.2, "native": 0.2, "summary": 0.2}.get(kind, 0)
    if intent.wants("since", "until"):
        return 0.4 if kind == "gauge" else 0
    return 0.1 if kind in ("gauge", "counter") else 0


def _unexplained(intent: Intent, narrowed: Narrowed, labels: Labels, metric: Metric) -> list[str]:
    """Words that neither the metric nor its labels have."""
    values = {stem(word) for word in narrowed.words}
    have = labels.tokens()
    subjects = {stem(word.lower()) for word in intent.spoken if labels.ranked(word.lower())}
    return sorted(
        word
        for word in intent.stems
        if word not in values | _SOFT | subjects and not metric.fit(word) and not lexicon.akin(word) & have
    )


def _lacks_parts(best: Fitting, intent: Intent) -> bool:
    """Whether a share is asked for of a counter whose parts nothing tells."""
    if best.metric.kind != "counter" or not intent.wants("share") or not intent.wants("errors"):
        return False
    return not (best.narrowed.matchers or bad_matcher(best.labels) or BAD.search(best.metric.name))


def _ask_about(best: Fitting, fitting: list[Fitting], intent: Intent, built: Built) -> bool:
    """Ask what cannot be answered; a metric that was written out is never doubted."""
    if best.narrowed.unknown_groups:
        built.questions.append(_no_such_label(best.metric.name, best.narrowed.unknown_groups[0], best.labels))
        return True
    if _lacks_parts(best, intent):
        have = ", ".join(sorted(label for label in best.labels.values if label != "le")) or "none"
        built.questions.append(
            f"A share of what? {best.metric.name} has no label that tells what goes wrong; its labels are: {have}."
        )
        return True
    hard = [word for word in intent.stems if word not in _SOFT]
    if best.score >= 100 or not hard or len(best.unexplained) <= (1 - _SURE) * len(hard):
        return False
    near = ", ".join(dict.fromkeys(one.metric.name for one in fitting[:5]))
    unclear = " ".join(word for word in sorted(intent.words) if stem(word) in best.unexplained)
    built.questions.append(f"Which metric tells {unclear!r}? The nearest are: {near}.")
    return True
