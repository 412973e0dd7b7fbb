"""Labels of a metric, and what words of a description say about them: groups and values."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql import lexicon
from kmcp_prometheus.promql.intent import Intent
from kmcp_prometheus.promql.lexicon import stem
from kmcp_prometheus.promql.selectors import NAME

_MOST_SERIES = 500
_MOST_LABELS = 12
_MOST_VALUES = 2000
_LOOKED_BACK_SECONDS = 2 * 86_400
STATUSES = (
    "code",
    "status_code",
    "status",
    "http_status_code",
    "http_response_status_code",
    "response_code",
    "http_code",
)
_FROM_SCRAPING = ("job", "instance", "le", "quantile", NAME)
_PART = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Labels:
    """The labels of a metric and their values."""

    values: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def tokens(self) -> frozenset[str]:
        return frozenset(stem(token) for name in self.values for token in lexicon.tokens(name))

    def named(self, plain: str) -> str | None:
        """The label of this name, in whatever spelling: `http_route` is `http.route`, too."""
        return next((name for name in self.values if _plain(name) == plain), None)

    def status(self) -> str | None:
        """The label that holds HTTP status codes."""
        return next((found for name in STATUSES if (found := self.named(name))), None)

    def group(self, phrase: str) -> str | None:
        """The label that a word or two of a grouping mean; None when there is none."""
        words = phrase.split()
        tries = [phrase.replace(" ", "_"), "".join(words), *reversed(words)]
        for word in tries:
            for name in (word, word.removesuffix("s"), *lexicon.labels_for(word)):
                if found := self.named(name):
                    return found
        wanted = [stem(token) for token in lexicon.tokens(phrase)]
        scored = [(sum(token in own for token in wanted), -len(own), name) for name, own in self._stems()]
        best = max(scored, default=(0, 0, ""))
        return best[2] if best[0] else None

    def ranked(self, word: str) -> str | None:
        """The label that a noun means whose values are ranked; in the plural, as `databases` and `queries` are."""
        for name in (word, word.removesuffix("s"), *lexicon.labels_for(word)):
            found = self.named(name)
            if found:
                return found
        return None

    def ranked_by(self, intent: Intent, chosen: Set[str]) -> tuple[str, ...]:
        """The label whose values are ranked or held to a limit, if the description names one."""
        found = (self.ranked(word.lower()) for word in intent.spoken)
        return tuple(name for name in found if name and name not in chosen)[:1]

    def _stems(self) -> list[tuple[str, list[str]]]:
        return [(name, [stem(token) for token in lexicon.tokens(name)]) for name in self.values if name != "le"]

    def holders(self, word: str) -> list[tuple[str, str]]:
        """Labels and the value of each that a word means: `POST`, `failed`, `OOMKilled` for `oomkilled`."""
        spoken, found = word.lower(), []
        for name in sorted(self.values, key=lambda name: (name in _FROM_SCRAPING, name)):
            if name in ("le", "quantile"):
                continue
            exact = [value for value in self.values[name] if value.lower() == spoken]
            alike = [value for value in self.values[name] if _alike(value, spoken)]
            found += [(name, value) for value in (exact or sorted(alike))[:1]]
        return found


def _plain(name: str) -> str:
    return _PART.sub("_", name.lower())


def _alike(value: str, word: str) -> bool:
    if not word.isalpha() or len(word) < 4:
        return False
    lowered = value.lower()
    return stem(_PART.sub("", lowered)) == stem(word) if lowered.isascii() else False


async def read_labels(prometheus: Prometheus, series: Iterable[str]) -> list[Labels]:
    """The labels of each of these metrics, asked at once."""
    return list(await asyncio.gather(*(_read(prometheus, name) for name in series)))


async def _read(prometheus: Prometheus, metric: str) -> Labels:
    selector = names.selector_by_name(metric)
    since = f"{time.time() - _LOOKED_BACK_SECONDS:.3f}"
    reply = await prometheus.get("/series", [("match[]", [selector]), ("start", since), ("limit", _MOST_SERIES)])
    found: dict[str, set[str]] = {}
    series = reply.read(lambda data: [dict(one) for one in data])
    for labels in series:
        for name, value in labels.items():
            if name != NAME:
                found.setdefault(name, set()).add(str(value))
    if len(series) >= _MOST_SERIES:
        # Only a part of the series was looked at: their values are asked for label by label.
        wanted = list(found)[:_MOST_LABELS]
        replies = await asyncio.gather(
            *(prometheus.list_label_values(name, [selector], limit=_MOST_VALUES) for name in wanted)
        )
        for name, values in zip(wanted, replies, strict=True):
            found[name] |= set(values.texts())
    return Labels({name: frozenset(values) for name, values in found.items()})


@dataclass(frozen=True)
class Narrowed:
    """What a description says about the labels of a metric."""

    matchers: tuple[dict[str, str], ...]
    groups: tuple[str, ...]
    unknown_groups: tuple[str, ...]
    """Groupings for which the metric has no label."""
    words: frozenset[str]
    """Words of the description that are values or names of labels."""
    ranked: tuple[str, ...]
    """The label whose values a ranking is about: `top 3 topics`."""


def narrow(intent: Intent, labels: Labels, name_stems: frozenset[str]) -> Narrowed:
    """Read groups and matchers; `name_stems` are words of the metric, which are no values."""
    groups: list[str] = []
    unknown: list[str] = []
    for phrase in intent.grouping:
        found = labels.group(phrase)
        if found:
            groups.append(found)
        # What is ranked by is no label, and each process may be one series.
        elif not intent.top and not name_stems & {stem(word) for word in phrase.split()}:
            unknown.append(phrase)
    matchers, words = _matchers(intent, labels, name_stems)
    chosen = {matcher["name"] for matcher in matchers}
    ranked = labels.ranked_by(intent, chosen) if intent.top or intent.bound else ()
    return Narrowed(tuple(matchers), tuple(dict.fromkeys(groups)), tuple(unknown), frozenset(words), ranked)


def _matchers(intent: Intent, labels: Labels, name_stems: frozenset[str]) -> tuple[list[dict[str, str]], set[str]]:
    found = {matcher["name"]: dict(matcher) for matcher in intent.matchers}
    used: set[str] = set()
    _read_pairs(intent, labels, found, used)
    pairs = [f"{one}{two}" for one, two in zip(intent.spoken, intent.spoken[1:], strict=False)]
    for word in [*intent.spoken, *pairs]:
        plain = word.lower()
        if plain in used or (plain not in pairs and not _may_be_value(plain, intent, name_stems)):
            continue
        for name, value in labels.holders(word):
            if name not in found and not (plain in pairs and value.lower() in intent.words):
                found[name] = {"name": name, "type": "=", "value": value}
                used |= {
                    plain,
                    *lexicon.tokens(plain),
                    *(part.lower() for part in intent.spoken if part.lower() in plain),
                }
                break
    status = labels.status()
    if intent.statuses and status and status not in found:
        found[status] = _status_matcher(status, intent.statuses)
    return list(found.values()), used


def _may_be_value(word: str, intent: Intent, name_stems: frozenset[str]) -> bool:
    # GET and OK are values, whatever the words get and ok are.
    shouted = {one.lower() for one in intent.spoken if one.isupper() and len(one) > 1}
    if word in shouted:
        return True
    if word in intent.words:
        return stem(word) not in name_stems
    return "/" in word or "." in word or "-" in word or ":" in word or "_" in word or any(map(str.isdigit, word))


def _read_pairs(intent: Intent, labels: Labels, found: dict[str, dict[str, str]], used: set[str]) -> None:
    """A label and its value side by side, in either order: `pool main`, `the orders topic`."""
    spoken = intent.spoken
    for at, word in enumerate(spoken):
        if word.lower() in intent.grouping:
            continue
        exact, label = labels.named(word.lower()), labels.group(word.lower())
        for name in dict.fromkeys(filter(None, (exact, label))):
            beside = [spoken[place] for place in (at + 1, at - 1) if 0 <= place < len(spoken)]
            value = next((one for one in beside for have in labels.values[name] if have.lower() == one.lower()), None)
            if value and name not in found and value.lower() != word.lower():
                kept = next(have for have in labels.values[name] if have.lower() == value.lower())
                found[name] = {"name": name, "type": "=", "value": kept}
                used |= {word.lower(), value.lower()}
                break


def _status_matcher(label: str, statuses: tuple[str, ...]) -> dict[str, str]:
    patterns = [status.replace("x", ".") for status in statuses]
    exact = len(patterns) == 1 and "." not in patterns[0]
    return {"name": label, "type": "=" if exact else "=~", "value": "|".join(patterns)}
