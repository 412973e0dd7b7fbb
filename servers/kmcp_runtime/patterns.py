"""Regular expressions that callers give: matched in linear time (RE2), so that none can hold a server up.

RE2 has no look-around and no back-references; everything else is as in Python.
"""

import re2

from kmcp_runtime.errors import bad_argument

LONGEST = 200


class Pattern:
    """A compiled expression."""

    def __init__(self, compiled: "re2._Regexp[str]") -> None:
        self._compiled = compiled

    def found_in(self, text: str) -> bool:
        return self._compiled.search(text) is not None


def pattern(expression: str, argument: str, longest: int = LONGEST) -> Pattern:
    """The expression of an argument; `bad_argument` says what is wrong with it."""
    if len(expression) > longest:
        raise bad_argument(f"{argument}: longer than {longest} characters", "search for a shorter part")
    options = re2.Options()
    options.log_errors = False
    try:
        return Pattern(re2.compile(expression, options))
    except re2.error as error:
        told = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise bad_argument(
            f"{argument}: not a valid regular expression: {told}",
            r"escape characters that are meant literally: \( \[ \*; look-around and back-references are not supported",
        ) from None
