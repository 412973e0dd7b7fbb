"""Whether labels match, as Prometheus decides it."""

from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_runtime.patterns import Pattern, pattern

LONGEST_EXPRESSION = 4096
Matcher = Mapping[str, Any]
"""`{name, value, type}` with a type of `=`, `!=`, `=~` or `!~`."""


def holds(matcher: Matcher, value: str) -> bool:
    """Whether a label with this value (empty: there is none) fits; `bad_argument` for a wrong regular expression."""
    operator, wanted = matcher["type"], matcher["value"]
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    return _whole(wanted, matcher["name"]).found_in(value) is (operator == "=~")


def match(labels: Mapping[str, str], matchers: Iterable[Matcher]) -> bool:
    return all(holds(matcher, labels.get(matcher["name"], "")) for matcher in matchers)


def _whole(expression: str, label: str) -> Pattern:
    return pattern(f"^(?s:{expression})$", label, LONGEST_EXPRESSION)
