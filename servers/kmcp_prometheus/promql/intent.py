"""What a description of a query asks for, by its words: no language model, the same answer each time."""

import re
from dataclasses import dataclass

from kmcp_prometheus.promql.literals import duration, written_duration

_PURPOSES = {
    "burn": r"burn|error budget|slo\b",
    "errors": r"error|fail|5xx|success|availab|unsuccessful",
    "quantile": r"\bp\d|percentile|quantile|median|latenc|duration|slow|response time|how long",
    "saturation": r"saturat|utili[sz]ation|usage|used\b|full|free\b|headroom|capacity|pressure",
    "absent": r"absent|missing|no data|stopped|vanish|disappear|\bdown\b|not running|unreachable",
    "rate": r"\brate|per second|throughput|\bqps\b|\brps\b|traffic|requests?\b|how many",
}
_UNITS = {
    "second": "s",
    "sec": "s",
    "s": "s",
    "minute": "m",
    "min": "m",
    "m": "m",
    "hour": "h",
    "h": "h",
    "day": "d",
    "d": "d",
    "week": "w",
    "w": "w",
    "year": "y",
    "y": "y",
    "ms": "ms",
}
_SPAN = re.compile(
    r"\b(?:(?P<count>\d+)\s*)?(?P<unit>ms|seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|years?|[smhdwy])\b"
)
_ONE = re.compile(r"\b(?:last|past|an?|over the)\s$")
_MATCHER = re.compile(r"""([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;]+)""")
_GROUPING = re.compile(r"\b(?:by|per|for each|grouped by)\s+((?:[a-z_]\w*)(?:\s*(?:,|and)\s*[a-z_]\w*)*)")
_NOT_LABELS = {"second", "minute", "hour", "day", "the", "each", "last"}
_QUANTILE = re.compile(r"\bp(\d{1,2}(?:\.?\d+)?)\b|\b(\d{1,2}(?:\.\d+)?)(?:th|st|nd|rd)?\s*(?:percentile|quantile)")
_OBJECTIVE = re.compile(r"\b(\d{2}(?:\.\d+)?)\s*%")
_STOP_WORDS = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "count",
        "each",
        "for",
        "from",
        "get",
        "give",
        "how",
        "in",
        "is",
        "it",
        "last",
        "many",
        "me",
        "my",
        "of",
        "on",
        "over",
        "past",
        "per",
        "query",
        "ratio",
        "rate",
        "second",
        "show",
        "than",
        "that",
        "the",
        "to",
        "total",
        "was",
        "what",
        "where",
        "which",
        "with",
    }
)
DEFAULT_WINDOW = "5m"


@dataclass(frozen=True)
class Intent:
    """The parts of a description."""

    purposes: tuple[str, ...]
    words: frozenset[str]
    """What may be part of a metric's name or help text."""
    named: tuple[str, ...]
    """Words that are written like the name of a metric."""
    window: str
    grouping: tuple[str, ...]
    matchers: tuple[dict[str, str], ...]
    quantile: float
    objective: float
    """Share of good events, 0.999 by default."""


def read_intent(description: str) -> Intent:
    matched = [(match[1], match[2], match[3].strip("\"'")) for match in _MATCHER.finditer(description)]
    # Matchers are taken out first: words in their values say nothing about the purpose.
    text = _MATCHER.sub(" ", description)
    lowered = text.lower()
    labels = [label for match in _GROUPING.finditer(lowered) for label in _labels(match[1])]
    # "per second" is a rate and not a grouping, so what is no label stays for the purposes below.
    bare = _GROUPING.sub(lambda match: " " if _labels(match[1]) else match[0], lowered)
    purposes = tuple(purpose for purpose, words in _PURPOSES.items() if re.search(words, bare))
    words = frozenset(_stem(word) for word in re.findall(r"[a-z]+\d*[a-z]*", bare.replace("_", " ")))
    return Intent(
        purposes=purposes,
        words=words - _STOP_WORDS,
        named=tuple(re.findall(r"\b[a-zA-Z_:]\w*_\w+\b", text)),
        window=_window(lowered),
        grouping=tuple(labels),
        matchers=tuple({"name": name, "type": op, "value": value} for name, op, value in matched),
        quantile=_quantile(lowered),
        objective=_objective(lowered),
    )


def _labels(text: str) -> list[str]:
    return [label for label in re.split(r"\s*,\s*|\s+and\s+", text) if label not in _NOT_LABELS]


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _window(text: str) -> str:
    for match in _SPAN.finditer(text):
        if match["count"] or (len(match["unit"]) > 2 and _ONE.search(text[: match.start()])):
            unit = match["unit"].rstrip("s") or "s"
            return written_duration(duration(f"{match['count'] or 1}{_UNITS.get(unit, unit)}"))
    return DEFAULT_WINDOW


def _quantile(text: str) -> float:
    match = _QUANTILE.search(text)
    if not match:
        return 0.5 if "median" in text else 0.95
    digits = match[1] or match[2]
    # p999 is 99.9, as people write it in names of dashboards.
    share = float(digits) if "." in digits or len(digits) <= 2 else float(f"{digits[:2]}.{digits[2:]}")
    return round(share / 100, 6)


def _objective(text: str) -> float:
    match = _OBJECTIVE.search(text)
    return round(float(match[1]) / 100, 8) if match else 0.999
