"""The words of arguments, declared once for every server, and how arguments of a call become checked values."""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, WithJsonSchema

from kmcp_runtime import durations
from kmcp_runtime.errors import ToolFailure, bad_argument
from kmcp_runtime.findings import faults
from kmcp_runtime.schema import UNPUBLISHED, published

_KIND_AND_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.-]*/([A-Za-z0-9][-A-Za-z0-9.]*)")
_NAME_BREAKERS = re.compile(r"[/\x00-\x1f\x7f\s]")


def check_name(value: str) -> str:
    """Refuse what could change the meaning of a request: an empty name, a leading dash, a slash, blanks, NUL."""
    if not value:
        raise ValueError("must not be empty")
    if value.startswith("-"):
        raise ValueError(f"{value!r} starts with '-': it names an object, it cannot be an option")
    if _NAME_BREAKERS.search(value) or value in (".", "..") or "%" in value:
        # As kubectl takes it: the kind is an argument of its own here.
        both = _KIND_AND_NAME.fullmatch(value)
        alone = f": give the name alone, {both[1]!r}" if both else ""
        raise ValueError(f"{value!r} contains a character that the name of an object cannot have{alone}")
    return value


def check_namespace(value: str) -> str:
    """As `check_name`; `*` is refused with the argument that means every namespace."""
    if value == "*":
        raise ValueError("'*' is not a namespace: use all_namespaces, or leave namespace out")
    return check_name(value)


def seconds_of(value: Any) -> Any:
    """A duration in seconds as `durations.parse` reads it; what is not a text passes through to be checked."""
    return durations.parse(value) if isinstance(value, str) else value


def signed_seconds_of(value: Any) -> Any:
    """A duration with an optional sign, in seconds."""
    return durations.parse_signed(value) if isinstance(value, str) else value


def moment_of(value: Any) -> Any:
    """Seconds since 1970: a number, RFC 3339, `now`, or relative to this machine's clock (`now-1h`, `-15m`)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch(value)
    text = value.strip() if isinstance(value, str) else repr(value)
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return _epoch(float(text))
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return _stamp(f"{text}T00:00:00Z")  # A day alone is its beginning in UTC, as in databases.
    if re.match(r"\d{4}-\d\d-\d\d[T ]", text, re.IGNORECASE):
        return _stamp(text)
    offset = text.removeprefix("now").replace(" ", "")
    if text != "now" and offset[:1] not in ("-", "+"):
        raise ValueError(f"{text!r} is not a valid time: {_NO_MOMENT}")
    return round(time.time() + (signed_seconds_of(offset) if offset else 0), 3)


_NO_MOMENT = "write now, now-1h, -15m, 2026-11-25T09:00:00Z or seconds since 1970"
_FIRST_MILLISECONDS = 1e11
"""Seconds until the year 5138: a larger number counts milliseconds."""


def _epoch(seconds: float) -> float:
    if seconds >= _FIRST_MILLISECONDS:
        raise ValueError(f"{seconds:.0f} looks like milliseconds of the epoch: give seconds")
    if not seconds >= 0:
        raise ValueError("before the epoch: give seconds since 1970")
    return seconds


def _stamp(text: str) -> float:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{text!r} is not a valid time ({error}): {_NO_MOMENT}") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z for UTC, or with an offset as +01:00")
    return found.timestamp()


def moment(text: str) -> Any:
    """A default of a `Time` that is read anew for each call."""
    return text


Namespace = Annotated[str, AfterValidator(check_namespace), "Namespace"]
Name = Annotated[str, AfterValidator(check_name), "Object name"]
OptionalNamespace = Annotated[str | None, AfterValidator(lambda name: name and check_namespace(name)), "Namespace"]
AllNamespaces = Annotated[bool, "In every namespace"]
TimeoutSeconds = Annotated[int, "Seconds to wait", Field(ge=1, le=600)]
Selector = Annotated[str | None, "Label selector"]
Limit = Annotated[int, "Most items", Field(ge=1, le=500)]
Cursor = Annotated[str | None, "From the previous answer"]
DryRun = Annotated[bool, "Only show the diff"]
Approval = Annotated[str | None, "Approval token"]


def _duration(description: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": description, "examples": [example]})


Duration = Annotated[
    float, BeforeValidator(seconds_of), _duration("Duration", "5m"), "Duration", Field(ge=0, allow_inf_nan=False)
]
SignedDuration = Annotated[
    float, BeforeValidator(signed_seconds_of), _duration("From now", "-36h"), "From now", Field(allow_inf_nan=False)
]


_TIME_SCHEMA = WithJsonSchema({"type": "string", "description": "Time", "examples": ["now-1h"]})
Time = Annotated[float, BeforeValidator(moment_of), _TIME_SCHEMA, "Time", Field(validate_default=True)]
OptionalTime = Annotated[
    float | None, BeforeValidator(lambda given: None if given is None else moment_of(given)), _TIME_SCHEMA, "Time"
]


def unpublished(description: str) -> Any:
    """The mark of an argument that is taken from older callers and that no schema shows."""
    return Field(description=description, json_schema_extra={UNPUBLISHED: True})


def checked(
    model: type[BaseModel],
    given: Mapping[str, Any],
    ignored: tuple[str, ...] = (),
    renamed: Mapping[str, str] | None = None,
) -> BaseModel:
    """Validated arguments, or `bad_argument` that names every fault and what the argument takes."""
    given = _in_current_words(given, {old: new for old, new in (renamed or {}).items() if new in model.model_fields})
    given = {name: value for name, value in given.items() if name not in ignored or name in model.model_fields}
    # Absent and null mean the same: clients fill in null for what they leave out.
    given = {name: value for name, value in given.items() if value is not None or name not in model.model_fields}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refusal(model, error) from None


def _in_current_words(given: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    """Arguments of older callers under the names that they have now."""
    current = dict(given)
    for old in renamed.keys() & given.keys():
        new, value = renamed[old], current.pop(old)
        if value is not None and current.setdefault(new, value) != value:
            raise bad_argument(f"{old} is another name for {new}, and both are given", f"give {new} alone")
    return current


def _refusal(model: type[BaseModel], error: ValidationError) -> ToolFailure:
    hint = f"arguments: {', '.join(published(model)) or 'none'}"
    return bad_argument("; ".join(faults(model, error)), hint)
