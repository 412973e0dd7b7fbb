"""What a process answered, checked before anything uses it: a result is an object, and a failure stays a failure."""

from collections.abc import Mapping
from typing import Any

from mcp_types import INTERNAL_ERROR, Implementation
from pydantic import ValidationError

from .framing import Json, encode
from .noise import clean

_LARGEST_CODE = 2**31


class RpcError(Exception):
    """A JSON-RPC error, as it goes to the client."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def body(self) -> Json:
        return {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})


def as_object(value: Any) -> Json:
    """What should be an object of JSON; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """What should be a text; None for anything else."""
    return value if isinstance(value, str) else None


def number_of(value: Any) -> int | None:
    """The id of one of our requests: a number, or the text of one, which some servers make of it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def unwrap(message: Mapping[str, Any], who: str = "the server") -> Json:
    """The result of a response. Errors: RpcError, for whatever is not one; `who` answered."""
    error = message.get("error")
    if error is not None:
        raise _error_of(error, who)
    result = message.get("result")
    if not isinstance(result, dict):
        found = "neither a result nor an error" if result is None else f"a result that is no object: {_excerpt(result)}"
        raise RpcError(INTERNAL_ERROR, f"{who} answered with {found}")
    return result


def _error_of(error: Any, who: str) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(INTERNAL_ERROR, f"{who} answered with an error: {_excerpt(error)}")
    code, text = error.get("code"), error.get("message")
    valid = isinstance(code, int) and not isinstance(code, bool) and abs(code) < _LARGEST_CODE
    if not isinstance(text, str):
        text = f"{who} answered with an error without a message" if text is None else _excerpt(text)
    return RpcError(code if valid and isinstance(code, int) else INTERNAL_ERROR, text, error.get("data"))


def _excerpt(value: Any) -> str:
    return clean(value if isinstance(value, str) else encode(value).decode())


def implementation(value: Any) -> Json:
    """What a process says of itself, as far as clients can read it: anything else would make them refuse it all."""
    found = as_object(value)
    try:
        Implementation.model_validate(found)
    except ValidationError:
        return {key: found[key] for key in ("name", "title", "version") if isinstance(found.get(key), str)}
    return found


def usable_tools(page: Mapping[str, Any]) -> list[Json]:
    """The tools of one page that a client can read; each needs a name and an object of a schema."""
    listed = page.get("tools")
    return [
        tool
        for tool in (listed if isinstance(listed, list) else ())
        if isinstance(tool, dict) and as_text(tool.get("name")) and isinstance(tool.get("inputSchema"), dict)
    ]
