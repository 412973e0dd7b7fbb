"""Messages of JSON-RPC as foreign servers send them. Pure."""

from collections.abc import Mapping
from typing import Any

from kmcp_runtime.foreign.scrubbing import clean

_LONGEST_TEXT = 2000


class RefusedError(Exception):
    """An error of JSON-RPC, in one direction or the other."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def is_answer(message: Mapping[str, Any], number: int) -> bool:
    """Whether a message answers the request `number`. A server numbers its own requests as it likes."""
    given = message.get("id")
    if "method" in message or isinstance(given, bool):
        return False
    # Some servers make a text of a number. An error may be without an id, when the server could not read ours.
    return given in (number, str(number)) or (given is None and "error" in message)


def result_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer brings. Errors: `RefusedError`."""
    error = message.get("error")
    if error is not None:
        known = object_of(error)
        code, text = known.get("code"), known.get("message")
        raise RefusedError(
            code if isinstance(code, int) else 0, clean(text if isinstance(text, str) else str(error), _LONGEST_TEXT)
        )
    result = message.get("result")
    if not isinstance(result, dict):
        raise RefusedError(0, "it answered without a result")
    return result


def object_of(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
