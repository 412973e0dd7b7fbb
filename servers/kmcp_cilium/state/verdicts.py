"""Verdicts of policies, which agents write as numbers."""

from typing import Any

_VERDICTS = ("allow", "deny", "pass")
"""In the order of the numbers that agents write (pkg/policy/types)."""


def verdict_text(number: Any) -> str:
    """The verdict in a word; one that is not known here stands as the agent writes it."""
    known = isinstance(number, int) and 0 <= number < len(_VERDICTS)
    return _VERDICTS[number] if known else f"verdict {number}"
