"""Names that exist, and those nearest to one that does not."""

import heapq
import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql.literals import quoted
from kmcp_prometheus.promql.selectors import NAME

_WORD = re.compile(r"[A-Za-z0-9]+")
_CANDIDATES = 200
_CLOSE_ENOUGH = 0.55
_SHARE_OF_BEST = 0.75


async def list_metrics(prometheus: Prometheus) -> list[str]:
    """List every metric that the backend knows."""
    return (await prometheus.list_label_values(NAME)).texts()


async def exists(prometheus: Prometheus, metric: str) -> bool:
    return bool((await prometheus.list_label_values(NAME, [selector_by_name(metric)], limit=1)).texts())


def selector_by_name(metric: str) -> str:
    """A selector of a metric, whatever characters its name has."""
    return f"{{{NAME}={quoted(metric)}}}"


def nearest(name: str, known: Iterable[str], count: int = 5) -> list[str]:
    """The known names closest to this one, best first: by the words they share, then by spelling."""
    wanted = set(_words(name))

    def shared(candidate: str) -> float:
        words = _words(candidate)
        # Names such as `/` or `лейбл` have no words of ASCII, which is what `_WORD` finds.
        total = max(len(wanted) + len(words), 1)
        return len(wanted.intersection(words)) / total + _likeness(name, candidate) / 10

    # SequenceMatcher is quadratic in the length of a name: with 100,000 metrics only a cheap choice is compared.
    candidates = heapq.nlargest(_CANDIDATES, known, key=shared)
    scored = [(_ratio(name, candidate) + shared(candidate), candidate) for candidate in candidates]
    least = max(_CLOSE_ENOUGH, _SHARE_OF_BEST * max((score for score, _ in scored), default=0))
    good = [(score, candidate) for score, candidate in scored if score >= least]
    return [candidate for _, candidate in heapq.nlargest(count, good)]


def _words(name: str) -> Sequence[str]:
    return _WORD.findall(name.lower().replace("_", " "))


def _likeness(name: str, candidate: str) -> float:
    """The share of the beginning that agrees: a cheap measure for misspelt names, which share no whole word."""
    agreeing = 0
    for ours, theirs in zip(name, candidate, strict=False):
        if ours != theirs:
            break
        agreeing += 1
    return agreeing / max(len(name), 1)


def _ratio(name: str, candidate: str) -> float:
    return SequenceMatcher(None, name.lower(), candidate.lower(), autojunk=False).ratio()
