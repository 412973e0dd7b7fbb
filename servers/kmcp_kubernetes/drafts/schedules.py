"""Cron expressions from plain words: `every weekday at 9:30`, `every 15 minutes from 9 to 17`, `on the 1st at noon`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from kmcp_kubernetes.drafts import cron_fields

_WORDS = "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty-five sixty ninety"
_VALUES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 30, 45, 60, 90)
_UNIT = "second|minute|min|hour|hr|day|week|month|year|quarter|time"
_DAY = "(?:sun|mon|tue|wed|thu|fri|sat)(?:s|nes|rs?|ur)?(?:days?)?"
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|"
    "aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_NAMES = "|".join((*cron_fields.DAYS, *cron_fields.MONTHS))
_FIELD = rf"(?:[\d*?]|{_NAMES})(?:[\d*/,-]|{_NAMES})*"
_CRON = re.compile(rf"(?<![^\s\"'`(=])((?:[\d*?][\d*/,-]*\s+){{3}}{_FIELD}\s+{_FIELD})(?![\w*/])")
_MACRO = re.compile(rf"(?<!\S)({'|'.join(sorted(cron_fields.MACROS))}|@every\s+[\w.]+)\b")
_ZONE = re.compile(
    r"\b((?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/[A-Za-z][\w+/-]*|UTC)\b"
)
_CLOCK = r"\d{1,2}(?!\d)(?:[:.]\d{2})?\s*(?:[ap]\.?m\b\.?)?"
_TIMES_AT = re.compile(
    rf"(?:\bat\s+|@\s*)({_CLOCK}(?:\s*(?:,\s*and|,|and|or|&)\s+{_CLOCK})*)(?!\s*(?:%|percent|past|[mgk]i))"
)
_TIME = re.compile(r"(?<![\w.:/-])(\d{1,2})(?:[:.](\d{2}))?(?::\d{2})?\s*([ap])?\.?(?:(?<=[ap])m|(?<=[ap]\.)m)?\b")
_TIME_ALONE = re.compile(r"(?<![\w.:/-])(?:\d{1,2}(?:[:.]\d{2})?\s*[ap]\.?m\b|(?:[01]?\d|2[0-3]):[0-5]\d(?![\w:.]))")
_WINDOW = re.compile(
    r"\b(?:between|from)\s+(\d{1,2})(?::00)?\s*([ap])?\.?m?\.?\s*(?:and|to|until|till|-|–)\s*(\d{1,2})(?::00)?\s*([ap])?\.?m?\b"
    r"(?!\s*(?:rep|pod|inst|%|:|[mgk]i))"
)
_EVERY = re.compile(
    r"\b(?:every|each|once every|once an?|once per|per)\s+(?:(\d+)\s*-?\s*)?"
    r"(second|minute|min|hour|hr|h|m|day|week|month|year)s?\b"
)
_TIMES_PER = re.compile(r"\b(\d+) times? (?:an?|per|each|every) (hour|day|year)\b")
_ADVERBS = {
    "hour": r"\bhourly\b",
    "day": r"\b(?:daily|nightly|(?:every|each) (?:single )?(?:night|morning|evening|afternoon|noon|midnight))\b",
    "week": r"\bweekly\b",
    "month": r"\bmonthly\b",
    "year": r"\b(?:yearly|annually)\b",
}
_DAYS = re.compile(rf"\b({_DAY})\b(?:\s*(?:-|–|to|through|until)\s*({_DAY})\b)?")
_MONTHS = re.compile(
    rf"\b(?:in|every|each|of)\s+({_MONTH})\b|\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})\b|\b({_MONTH})\s+\d{{1,2}}(?!\d|:)"
)
_DAY_OF_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)\b|\b(?:{_MONTH})\s+(\d{{1,2}})\b(?!:)|"
    rf"\b(\d{{1,2}})\s+(?:of\s+)?(?:{_MONTH})\b|\bday (\d{{1,2}})\b"
)
_PAST = re.compile(r"\bat (?:minute |:)(\d{1,2})\b|\b(\d{1,2}) (?:minutes )?(?:past|after)\b")
_LAST_DAY = re.compile(r"\blast day\b|\b(?:last|end) of (?:the|every|each) month")
_UNSAYABLE = (
    (r"\bseconds?\b", "cron counts minutes, not seconds"),
    (rf"\bfortnight|\bbi-?weekly|\bevery 2 weeks|\bevery (?:other|2nd|second) {_DAY}", "cron has no every other week"),
    (rf"\b(?:first|2nd|second|third|fourth|last|1st|3rd|4th) (?:{_DAY}|weekday|working day|business day)\b",
     "cron cannot say the n-th weekday of a month"),
    (_LAST_DAY.pattern, "cron has no last day of the month"),
    (r"\b(?:except|excluding|but not|unless)\b", "the exception is not in the expression"),
)  # fmt: skip
_NO_TIME = "no time of day in the description (at 3am)"
_PARTS_OF_DAY = {"morning": 8, "afternoon": 14, "evening": 18, "noon": 12}


@dataclass
class Schedule:
    """A cron expression; `guesses` say what of it was not said, or what cron cannot say."""

    expression: str = ""
    guesses: list[str] = field(default_factory=list)
    time_zone: str | None = None

    @property
    def why(self) -> str:
        return "; ".join(self.guesses)


def schedule_of(description: str) -> Schedule | None:
    """The schedule that a description asks for; None when it says nothing of one."""
    literal = _CRON.search(description.lower()) or _MACRO.search(description.lower())
    zone = _ZONE.search(description)
    found = _written(" ".join(literal[1].split())) if literal else _spoken(_normal(description))
    if found and zone:
        found.time_zone = "Etc/UTC" if zone[1] == "UTC" else zone[1]
    return found


def _written(expression: str) -> Schedule:
    """An expression as it was given; what Kubernetes does not take of it is said."""
    found = Schedule(cron_fields.with_sunday(expression))
    if found.expression != expression:
        found.guesses.append("to Kubernetes Sunday is 0, not 7")
    if refused := cron_fields.fault(found.expression):
        found.guesses.append(f"Kubernetes refuses it: {refused}")
    return found


def _normal(description: str) -> str:
    """The text with numbers for words, and one way to say what has several."""
    text = description.lower()
    for word, value in zip(_WORDS.split(), _VALUES, strict=True):
        text = re.sub(rf"\b{word}(?=[ -](?:{_UNIT}))", str(value), text)
    for pattern, better in (
        (r"\bhalf[ -]hourly\b|\b(?:every|each) half(?: an)?[ -]hour\b", "every 30 minutes"),
        (r"\b(?:every|each) (?:quarter of an hour|quarter[ -]hour)\b", "every 15 minutes"),
        (r"\b(?:every|each) (?:other|second|2nd) (?=minute|hour|day|week|month)", "every 2 "),
        (r"\b(?:every|each) (?:third|3rd) (?=minute|hour|day|month)", "every 3 "),
        (r"\b(?:quarterly|(?:every|each) quarter|once a quarter)\b", "every 3 months"),
        (r"\btwice (?=an?|per|each|every)", "2 times "),
        (r"\btwice (daily|hourly)", lambda found: f"2 times per {'day' if found[1] == 'daily' else 'hour'}"),
        (r"\bhalf past (\d{1,2})\b", r"\1:30"),
        (r"\bquarter past (\d{1,2})\b", r"\1:15"),
        (r"\bquarter to (\d{1,2})\b", lambda found: f"{(int(found[1]) - 1) % 24}:45"),
        (r"\b(noon|midday)\b", "12:00"),
        (r"\bmidnight\b", "0:00"),
        (r"\b(?:every|each|on|of) (?:working|work|week|business) ?days?\b|\bweekdays?\b", "mon-fri"),
        (r"\bweek-?ends?\b", "sat sun"),
        (r"\b(?:first|start|beginning)(?: day)? of (?:the|every|each) (month|year)\b", r"1st of every \1"),
        (r"\b(\d{1,2})(:\d\d)?(?: o'?clock)? in the (?:afternoon|evening)\b", r"\1\2 pm"),
        (r"\b(\d{1,2})(:\d\d)?(?: o'?clock)? (?:in the morning|o'?clock)\b", r"at \1\2"),
    ):  # fmt: skip
        text = re.sub(pattern, better, text)
    return re.sub(r"\bat at\b", "at", text)


@dataclass
class _Said:
    """What was found of each part; empty when it was not said."""

    unit: str = ""
    count: int = 1
    times: list[tuple[int, int]] = field(default_factory=list)
    window: str = ""
    minute: int | None = None
    days: list[int] = field(default_factory=list)
    dates: list[int] = field(default_factory=list)
    months: list[int] = field(default_factory=list)
    part: str = ""


def _spoken(text: str) -> Schedule | None:
    found = Schedule()
    said = _read(text, found)
    # `at least 1` and a bare clock are no schedule; a clock with `at` or am/pm is.
    if not (said.unit or said.days or said.dates or said.months or said.times):
        return None
    found.guesses += [why for pattern, why in _UNSAYABLE if re.search(pattern, text)]
    minute, hour = _clock(said, found)
    dates, months, days = _calendar(said, found)
    found.expression = f"{minute} {hour} {dates} {months} {days}"
    return found


def _read(text: str, found: Schedule) -> _Said:
    said = _Said()
    every, times = _EVERY.search(text), _TIMES_PER.search(text)
    if times:
        said.unit, said.count = _spread(int(times[1]), times[2], found)
    elif every:
        spellings = {"min": "minute", "m": "minute", "hr": "hour", "h": "hour", "second": "minute"}
        said.unit, said.count = spellings.get(every[2], every[2]), int(every[1] or 1) if every[2] != "second" else 1
    else:
        said.unit = next((unit for unit, words in _ADVERBS.items() if re.search(words, text)), "")
    window = _WINDOW.search(text)
    if window:
        first, last = (
            _hour(int(window[1]), window[2] or (window[4] if window[4] == "a" else None)),
            _hour(int(window[3]), window[4]),
        )
        said.window = f"{first}-{last}" if first < last < 24 else ""
        text = text.replace(window[0], " ")
    elif re.search(r"\b(?:business|office|working) hours\b", text):
        said.window = "9-17"
        found.guesses.append("hours not said: 9 to 17")
    past = _PAST.search(text)
    if past and said.unit == "hour":
        said.minute = int(past[1] or past[2]) % 60
    said.times = _times(text)
    said.days = sorted({day for match in _DAYS.finditer(text) for day in _days(match)})
    said.dates = _numbers(_DAY_OF_MONTH, text, 31) if (said.unit != "minute") else []
    if _LAST_DAY.search(text):
        said.dates = [28]
    names = [next(filter(None, match.groups())) for match in _MONTHS.finditer(text)]
    said.months = sorted({cron_fields.MONTHS.index(name[:3]) + 1 for name in names})
    said.part = next((part for part in _PARTS_OF_DAY if part in text), "")
    return said


def _spread(times: int, unit: str, found: Schedule) -> tuple[str, int]:
    """`3 times a day` is every 8 hours."""
    smaller, whole = {"hour": ("minute", 60), "day": ("hour", 24), "year": ("month", 12)}[unit]
    if not times or whole % times:
        found.guesses.append(f"{times} times do not divide the {unit} evenly")
    return smaller, max(1, whole // max(times, 1))


def _hour(hour: int, half: str | None) -> int:
    if half == "p" and hour < 12:
        return hour + 12
    return 0 if half == "a" and hour == 12 else hour


def _times(text: str) -> list[tuple[int, int]]:
    """Times of day, in the order of the text; an hour alone counts behind `at`."""
    spans = [match[1] for match in _TIMES_AT.finditer(text)]
    rest = _TIMES_AT.sub(" ", text)
    found = [clock for span in spans for clock in _clocks(span)]
    found += [clock for match in _TIME_ALONE.finditer(rest) for clock in _clocks(match[0])]
    return list(dict.fromkeys(found))


def _clocks(span: str) -> list[tuple[int, int]]:
    items = [(int(each[1]), int(each[2] or 0), each[3]) for each in _TIME.finditer(span)]
    halves = {half for _, _, half in items if half}
    # `at 9 and 11 am`: what is said once counts for all.
    common = halves.pop() if len(halves) == 1 else None
    return [(_hour(hour, half or common), minute) for hour, minute, half in items if hour < 24 and minute < 60]


def _days(match: re.Match[str]) -> list[int]:
    first = cron_fields.DAYS.index(match[1][:3])
    last = cron_fields.DAYS.index(match[2][:3]) if match[2] else first
    return [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]


def _numbers(pattern: re.Pattern[str], text: str, most: int) -> list[int]:
    found = {int(next(filter(None, match.groups()))) for match in pattern.finditer(text)}
    return sorted(number for number in found if 1 <= number <= most)


def _clock(said: _Said, found: Schedule) -> tuple[str, str]:
    """The fields of minute and hour."""
    if said.unit == "minute" and said.count % 60 == 0 and said.count:
        said.unit, said.count = "hour", said.count // 60
    if said.unit == "hour" and said.count % 24 == 0 and said.count:
        said.unit, said.count = "day", said.count // 24
    if said.unit == "minute":
        return _step(said.count, 60, "hour", found), said.window or "*"
    if said.unit == "hour":
        step = _step(said.count, 24, "day", found)
        minutes = sorted({minute for _, minute in said.times}) if said.minute is None else [said.minute]
        every = said.window + (f"/{said.count}" if said.count > 1 else "") if said.window else step
        return _list(minutes) if minutes else "0", every
    if not said.times:
        hour = _PARTS_OF_DAY.get(said.part, 0)
        found.guesses.append(f"{_NO_TIME}: {hour}:00")
        return "0", str(hour)
    hours, minutes = sorted({hour for hour, _ in said.times}), sorted({minute for _, minute in said.times})
    if len(hours) * len(minutes) != len(said.times):
        found.guesses.append("one expression cannot say all of these times: only the first is taken")
        return str(said.times[0][1]), str(said.times[0][0])
    return _list(minutes), _list(hours)


def _calendar(said: _Said, found: Schedule) -> tuple[str, str, str]:
    """The fields of day of the month, month and day of the week."""
    dates, months, days = _list(said.dates) or "*", _list(said.months) or "*", _list(said.days) or "*"
    if said.unit == "day" and said.count > 1 and dates == "*":
        dates = _step(said.count, 0, "month", found)
    if said.unit == "week" and days == "*" and dates == "*":
        days = "0"
        found.guesses.append("no day of the week in the description (on Mondays): Sunday")
    if said.unit == "month" and months == "*":
        months = _step(said.count, 12, "year", found)
    if said.unit == "year" and months == "*":
        months = "1"
        found.guesses.append("no month in the description: January")
    if (said.unit in ("month", "year") or said.months) and dates == "*" and days == "*" and said.unit != "day":
        dates = "1"
        found.guesses.append("no day of the month in the description (on the 15th): the 1st")
    if dates != "*" and days != "*":
        found.guesses.append("cron runs on a day that matches the date or the day of the week, not only on both")
    return dates, months, days


def _step(count: int, whole: int, unit: str, found: Schedule) -> str:
    if count <= 1:
        return "*"
    if not whole or whole % count:
        passed = "it runs once in each" if whole and count > whole else "the last step of it is shorter"
        found.guesses.append(f"cron begins to count anew each {unit}, so {passed}")
    return f"*/{count}"


def _list(numbers: Iterable[int]) -> str:
    """`1-5`, `0,6`, `9,17`: three or more in a row as a range."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 2 else ",".join(map(str, part)) for part in parts)
