"""Whether labels match, as Prometheus decides it."""

from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_runtime import Pattern, TooComplex, pattern
from kmcp_runtime.worker import run_in_thread

LONGEST_EXPRESSION = 4096
Matcher = Mapping[str, Any]
"""`{name, value, type}` with a type of `=`, `!=`, `=~` or `!~`."""


def holds(matcher: Matcher, value: str) -> bool:
    """Whether a label with this value (empty: no such label) matches; `bad_argument` for a wrong regular expression."""
    operator, wanted = matcher["type"], matcher["value"]
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    return expression(wanted, matcher["name"]).found_in(value) is (operator == "=~")


def match(labels: Mapping[str, str], matchers: Iterable[Matcher]) -> bool:
    return all(holds(matcher, labels.get(matcher["name"], "")) for matcher in matchers)


async def holds_for_any(matcher: Matcher, values: Iterable[str]) -> bool:
    """Whether a label with one of these values matches, also where it takes too long to know."""

    def found() -> bool:
        return any(holds(matcher, value) for value in values)

    try:
        return await run_in_thread(found)
    except TooComplex:
        return True


def expression(text: str, label: str) -> Pattern:
    """A regular expression of a matcher, which the whole value must fit."""
    pattern(
        text, label, LONGEST_EXPRESSION
    )  # First as it was given, so that an error message shows what the caller wrote.
    # Prometheus anchors matchers at both ends and lets `.` match line breaks (model/labels/regexp.go).
    return pattern(f"^(?s:{text})$", label, LONGEST_EXPRESSION + len("^(?s:)$"))
