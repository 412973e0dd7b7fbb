"""What a description of a query asks for, by its words: no language model, the same answer each time."""

import re
from dataclasses import dataclass, field

from kmcp_prometheus.promql.lexicon import stem
from kmcp_prometheus.promql.literals import duration, written_duration

_PURPOSES = {
    "burn": r"burn|error budget|slo\b",
    "errors": r"error|fail|[45]xx|success|availability|unsuccessful|\b[45]\d\d\b",
    "quantile": r"\bp\d|percentile|quantile|median|latenc|duration|\bslow|response time|how long",
    "saturation": r"saturat|utili[sz]ation|\busage|\bused\b|\bfull\b|\bfree\b|headroom|capacity|pressure|in use",
    "absent": r"absent|missing|no data|stopped|vanish|disappear|not running|unreachable|stale",
    "rate": r"\brate|(?:per|each) (?:second|minute|hour|day)|throughput|\bqps\b|\brps\b|traffic|/s\b",
    "count": r"how many|number of|how often|\bcount\b",
    "mean": r"\baverage|\bmean\b|\bavg\b",
    "highest": r"\bmaximum|\bmax\b|\bhighest|\bpeak|\blargest|\bbiggest|\bworst",
    "lowest": r"\bminimum|\bmin\b|\blowest|\bsmallest",
    "share": r"\bratio|\bshare|percent|fraction|proportion|(?:error|failure|success|hit|miss) rate|availability|%",
    "percent": r"percent|(?<!\d)(?<!\d\s)%",
    "amount": r"\bin (?:bytes|[kmgt]i?b)\b",
    "since": r"\bsince\b|uptime|\bage\b|how old|how long ago|running for",
    "until": r"\buntil\b|expir|\bremaining\b|time left|days left",
    "predict": r"\bwill\b|predict|forecast|run out|fill up",
    "change": r"\bgrew|\bgrow|\bgrowth|\bchange[ds]?\b|\bincreased|\bdecreased|\bshrank|\bdelta",
    "none": r"\bwithout\b|\bno\b|\bzero\b|\bdown\b|\bfail(?:s|ing|ed)?\b|\bunhealthy|\bnot (?:up|healthy|ready)\b",
    "success": r"success|availability",
}
_UNITS = {"sec": "s", "second": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h", "day": "d", "week": "w"}
_UNITS |= {"year": "y", "s": "s", "m": "m", "h": "h", "d": "d", "w": "w", "y": "y", "ms": "ms"}
_UNIT = r"ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|years?|[smhdwy]"
_SPAN = re.compile(rf"\b(?:(?P<count>\d+)\s*)?(?P<unit>{_UNIT})\b")
_ONE = re.compile(r"(?:\b(?:last|past|previous|over the|over an?|in an?|during the|within an?)\s)$")
_DURING = re.compile(
    r"\b(?:in|within|during|since|over)\s(?:the\s)?(?:last|past|an?\b)|since yesterday|\btoday|\bthis (?:week|day)"
)
_AHEAD = re.compile(rf"\b(?:in|within|over) (?:the next )?(?:(\d+)\s*|an? )({_UNIT})\b")
_NUMBER = r"(\d+(?:\.\d+)?)\s*(%|percent|[kmgt]i?b|ms|seconds?|minutes?|hours?|days?|weeks?)?"
_NOT_SPAN = r"%|percent|[kmgt]i?b\b|(?!(?:second|minute|hour|day|week)s?\b)[a-z]{4,}\b|$"
_BOUND = re.compile(
    # "over 10 minutes" is a window and "over 80 %" a limit.
    r"(?:\b(less than|fewer than|lower than|smaller than|shorter than|more than|[a-z]{4,}er than|above|exceed\w*"
    rf"|over(?=\s\d+(?:\.\d+)?\s*(?:{_NOT_SPAN}))"
    r"|below|under(?=\s\d)|at least|at most)"
    rf"|([<>]=?))\s*(?:an?\s)?{_NUMBER}(?![\w.])"
)
_OPERATORS = {"less": "<", "fewer": "<", "lower": "<", "smaller": "<", "shorter": "<", "below": "<", "under": "<"}
_SIZES = {"k": 1, "m": 2, "g": 3, "t": 4}
_TOP = re.compile(r"\b(top|bottom|slowest|fastest|busiest|biggest|largest|highest|lowest|smallest|worst)\s(\d+)\b")
_TOP_AFTER = re.compile(
    r"\b(?:the )?(\d+) (slowest|fastest|busiest|biggest|largest|highest|lowest|smallest|worst|most)\b"
)
_RANKED = re.compile(
    r"\b(slowest|busiest|biggest|largest|smallest|noisiest|worst|most \w+)\b|\bwhich \w+ \w+ (?:the )?most\b"
)
_BOTTOM = frozenset({"bottom", "fastest", "lowest", "smallest"})
_OFFSET = re.compile(
    r"(?:compared (?:with|to)|\bvs\.?|versus|against|\bthan|same time|\boffset)\s(?:the (?:same time )?)?"
    rf"(yesterday|(?:last|a|one|the previous) (?:day|week|hour)(?: ago| before)?|(\d+)\s*({_UNIT})(?: ago)?)"
    r"|\b(week|day|hour)[- ](?:over|on)[- ]\4\b"
)
_MATCHER = re.compile(r"""([a-zA-Z_][\w.]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;]+)""")
_GROUPING = re.compile(
    r"\b(?:by|per|for each|for every|grouped by|of each|in each|does each|each|every)\s(?:the\s)?"
    r"(?!(?:second|minute|hour|day|week|cent|more|less)\b)"
    r"((?:[a-z_][\w.]*)(?:\s*(?:,|\band\b)\s*[a-z_][\w.]*)*)(?:\s([a-z_]+))?"
)
_NOT_LABELS = frozenset({"second", "minute", "hour", "day", "week", "the", "each", "last"})
_QUANTILE = re.compile(r"\bp(\d{1,2}(?:\.?\d+)?)\b|\b(\d{1,2}(?:\.\d+)?)(?:th|st|nd|rd)?\s*(?:percentile|quantile)")
_OBJECTIVE = re.compile(r"\b(\d{2}(?:\.\d+)?)\s*%")
_STATUS = re.compile(r"\b([1-5]\d\d|[1-5]xx)(?:'?s)?\b")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about ago all among amongst an and any are as at average be before been below by can compared count current
        currently day did do does each every exceed expression exist existing few find for
        from get give good had has have having being times spent there made
        high highest hold hour how i in into is it its last least left less long longer lot many max maximum me mean
        median metric min minute more most much my need no not now number of off often on one or our out over overall
        past per percent percentage percentile please previous promql quantile query rate ratio second see seen share
        show since so some than that the their them there these they this time to today total top under until value
        want was we week were what when where which who will with within without would yesterday you right graph
        alert fraction proportion bottom lowest fastest busiest biggest largest smallest worst peak throughput
        """,
    )
)
_MOST_RANKED = 10
DEFAULT_WINDOW = "5m"
_CONTENT = re.compile(r"[^\W_][\w./:\-]*|/[\w./\-]*|_\w+")


@dataclass(frozen=True)
class Bound:
    """A limit such as `more than 80 %`."""

    operator: str
    number: float
    unit: str = ""
    """`%`, `seconds` (the number is in seconds), `bytes`, or empty."""


@dataclass(frozen=True)
class Intent:
    """The parts of a description."""

    purposes: tuple[str, ...]
    words: frozenset[str]
    """What may be part of a metric's name, help text, label or value."""
    text: str
    """The description in small letters, without matchers, limits and spans of time."""
    spoken: tuple[str, ...]
    """Its words as they were written, for values of labels."""
    named: tuple[str, ...]
    """Words that are written like the name of a metric."""
    window: str
    grouping: tuple[str, ...]
    matchers: tuple[dict[str, str], ...]
    quantile: float
    objective: float
    """Share of good events, 0.999 by default."""
    window_given: bool = False
    during: bool = False
    """Whether the window says for how long events are counted: `in the last hour`."""
    bound: Bound | None = None
    top: int = 0
    bottom: bool = False
    offset: str = ""
    ahead_seconds: int = 0
    statuses: tuple[str, ...] = ()
    """HTTP status codes: `404`, or `5xx` for a class of them."""
    every: str = ""
    """The unit of a rate that is not per second: `minute`, `hour`, `day`."""
    stems: frozenset[str] = field(default=frozenset(), compare=False)

    def wants(self, *purposes: str) -> bool:
        return any(purpose in self.purposes for purpose in purposes)


def read_intent(description: str) -> Intent:
    matched = [(match[1], match[2], match[3].strip("\"'")) for match in _MATCHER.finditer(description)]
    # Matchers are taken out first: words in their values say nothing about the purpose.
    text = _MATCHER.sub(" ", description)
    lowered = " ".join(text.lower().replace("’", "'").split())
    limit = _BOUND.search(lowered)
    bare = _BOUND.sub(_kept_of_bound, lowered) if limit else lowered
    labels = [label for match in _GROUPING.finditer(bare) for label in _labels(match[1], match[2] or "")]
    # "per second" is a rate and not a grouping, so what is no label stays for the purposes below.
    # What the first few are ranked by stays among the words, too: "top 3 pods by memory".
    bare = bare if _ranking(bare)[0] else " ".join(_GROUPING.sub(_without_labels, bare).split())
    purposes = tuple(purpose for purpose, words in _PURPOSES.items() if re.search(words, bare))
    if limit and (limit[4] or "") in ("%", "percent") and "share" not in purposes:
        purposes += ("share",)
    window, given = _window(_OFFSET.sub(" ", _AHEAD.sub(" ", bare) if "predict" in purposes else bare))
    content = _content(bare) or (["request"] if _STATUS.search(bare) else [])
    return Intent(
        purposes=purposes,
        words=frozenset(word for word in content if word.isascii() or word.isalnum()),
        text=bare,
        spoken=tuple(_CONTENT.findall(text)),
        named=tuple(re.findall(r"\b[a-zA-Z_:]\w*_\w+\b|\b[a-z]\w*(?:\.\w+)+\b", text)),
        window=window,
        window_given=given,
        during=given and bool(_DURING.search(bare)),
        grouping=tuple(dict.fromkeys(labels)),
        matchers=tuple({"name": name, "type": op, "value": value} for name, op, value in matched),
        quantile=_quantile(lowered),
        objective=_objective(lowered),
        bound=_bound(limit),
        top=_ranking(bare)[0],
        bottom=_ranking(bare)[1],
        offset=_offset(bare),
        ahead_seconds=_ahead(bare) if "predict" in purposes else 0,
        statuses=tuple(_STATUS.findall(bare)),
        every=next((unit for unit in ("minute", "hour", "day") if re.search(rf"\b(?:per|each) {unit}\b", bare)), ""),
        stems=frozenset(map(stem, content)),
    )


def _labels(text: str, next_word: str) -> list[str]:
    found = [label for label in re.split(r"\s*,\s*|\s+and\s+", text) if label.rstrip("s") not in _NOT_LABELS]
    # "by status code", "per consumer group": names of two words, which only the labels that exist can tell from others.
    if found and next_word and next_word not in _STOP_WORDS:
        found[-1] = f"{found[-1]} {next_word}"
    return found


def _without_labels(match: re.Match[str]) -> str:
    labels = _labels(match[1], match[2] or "")
    if not labels:
        return match[0]
    # Of two words, either may as well belong to the metric: "each rabbitmq queue".
    return f" {labels[-1]} " if " " in labels[-1] else f" {match[2] or ''} "


def _content(text: str) -> list[str]:
    text = _SPAN.sub(lambda match: " " if match["count"] else match[0], text)
    text = _STATUS.sub(" ", _OFFSET.sub(" ", _QUANTILE.sub(" ", text)))
    words = [word for part in _CONTENT.findall(text) for word in re.findall(r"[^\W\d_]+\d*[^\W\d_]*", part)]
    return [word for word in words if word not in _STOP_WORDS and len(word) > 1]


def _window(text: str) -> tuple[str, bool]:
    text = _STATUS.sub(" ", text)  # "503s" are no seconds.
    for match in _SPAN.finditer(text):
        if match["count"] or (len(match["unit"]) > 2 and _ONE.search(text[: match.start()])):
            unit = match["unit"].rstrip("s") or "s"
            return written_duration(duration(f"{match['count'] or 1}{_UNITS.get(unit, unit)}")), True
    for words, window in ((r"\btoday|\bdaily\b|since yesterday", "1d"), (r"\bthis week", "7d"), (r"\bthis hour", "1h")):
        if re.search(words, text):
            return window, True
    return DEFAULT_WINDOW, False


def _bound(match: re.Match[str] | None) -> Bound | None:
    if match is None:
        return None
    word = (match[1] or "").split(" ")[0]
    operator = match[2] or _OPERATORS.get(word, ">")
    if match[1] in ("at least", "at most"):
        operator = ">=" if match[1] == "at least" else "<="
    number, unit = float(match[3]), match[4] or ""
    if unit in ("%", "percent"):
        return Bound(operator, number, "%")
    if unit.endswith("b"):
        return Bound(operator, number * (1024 if "i" in unit else 1000) ** _SIZES[unit[0]], "bytes")
    if unit:
        spelled = unit if unit == "ms" else _UNITS[unit.rstrip("s")]
        return Bound(operator, number * duration(f"1{spelled}") / 1000, "seconds")
    return Bound(operator, number)


def _kept_of_bound(match: re.Match[str]) -> str:
    """What a limit says about its subject: `busier than`."""
    word = (match[1] or "").split(" ")[0]
    plain_words = {"more", "greater", "higher", "larger", "longer", *_OPERATORS}
    return f" {word} " if word.endswith("er") and word not in plain_words else " "


def _ranking(text: str) -> tuple[int, bool]:
    """How many are wanted, 0 for all, and whether from the lower end."""
    if found := _TOP.search(text):
        return int(found[2]), found[1] in _BOTTOM
    if found := _TOP_AFTER.search(text):
        return int(found[1]), found[2] in _BOTTOM
    if found := _RANKED.search(text):
        return _MOST_RANKED, found[1] in _BOTTOM
    return (_MOST_RANKED if re.search(r"\btop\b", text) else 0), False


def _offset(text: str) -> str:
    match = _OFFSET.search(text)
    if match is None:
        return ""
    if match[2]:
        return f"{match[2]}{_UNITS.get(match[3].rstrip('s') or 's', match[3])}"
    said = match[1] or match[4]
    return next((span for word, span in (("week", "1w"), ("hour", "1h")) if word in said), "1d")


def _ahead(text: str) -> int:
    match = _AHEAD.search(text)
    unit = _UNITS.get(match[2].rstrip("s") or "s", match[2]) if match else "h"
    return duration(f"{(match and match[1]) or (1 if match else 4)}{unit}") // 1000


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
