"""The words of arguments, declared once for every server, and how arguments of a call become checked values."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, WithJsonSchema

from kmcp_runtime.errors import ToolFailure, bad_argument, did_you_mean

_NAME_BREAKERS = re.compile(r"[/\x00-\x1f\x7f\s]")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y))")
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def check_name(value: str) -> str:
    """Refuse what could change the meaning of a request: an empty name, a leading dash, a slash, blanks, NUL."""
    if not value:
        raise ValueError("must not be empty")
    if value.startswith("-"):
        raise ValueError(f"{value!r} starts with '-': it names an object, it cannot be an option")
    if _NAME_BREAKERS.search(value) or value in (".", "..") or "%" in value:
        raise ValueError(f"{value!r} holds a character that no object's name has")
    return value


def check_namespace(value: str) -> str:
    if value == "*":
        raise ValueError("'*' is not a namespace: use all_namespaces, or leave namespace out")
    return check_name(value)


def seconds_of(value: Any) -> Any:
    """A duration in seconds: `30s`, `1h30m`, `7d`; a bare number is seconds."""
    if isinstance(value, str):
        if re.fullmatch(r"\d+(?:\.\d+)?", value):
            return float(value)
        parts = _DURATION.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            raise ValueError(f"{value!r} is no duration: write 30s, 5m, 2h or 7d")
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return value


def Word(description: str, **limits: Any) -> Any:
    """The description (and limits) of an argument."""
    return Field(description=description, **limits)


Namespace = Annotated[str, AfterValidator(check_namespace), Word("Namespace")]
Name = Annotated[str, AfterValidator(check_name), Word("Object name")]
OptionalNamespace = Annotated[
    str | None, AfterValidator(lambda name: name and check_namespace(name)), Word("Namespace")
]
AllNamespaces = Annotated[bool, Word("In every namespace")]
TimeoutSeconds = Annotated[int, Word("Seconds to wait", ge=1, le=600)]
Selector = Annotated[str | None, Word("Label selector")]
Limit = Annotated[int, Word("Most items", ge=1, le=500)]
Cursor = Annotated[str | None, Word("From the previous answer")]
DryRun = Annotated[bool, Word("Change nothing, show the diff")]
Approval = Annotated[str | None, Word("Token of approval_required")]
Duration = Annotated[
    float, BeforeValidator(seconds_of), WithJsonSchema({"type": "string", "examples": ["5m"]}), Word("Duration")
]


def checked(model: type[BaseModel], given: Mapping[str, Any], ignored: tuple[str, ...] = ()) -> BaseModel:
    """Validated arguments, or `bad_argument` that names every fault and what the argument takes."""
    given = {name: value for name, value in given.items() if name not in ignored or name in model.model_fields}
    # Absent and null mean the same: clients fill in null for what they leave out.
    given = {name: value for name, value in given.items() if value is not None or name not in model.model_fields}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refusal(model, error) from None


def _refusal(model: type[BaseModel], error: ValidationError) -> ToolFailure:
    hint = f"arguments: {', '.join(model.model_fields) or 'none'}"
    return bad_argument("; ".join(faults(model, error)), hint)


def faults(model: type[BaseModel], error: ValidationError, word: str = "argument") -> list[str]:
    """Every fault of a validation in a sentence; `word` is what a member of the model is called."""
    return [_fault(model, fault, word) for fault in error.errors(include_url=False, include_context=True)]


def _fault(model: type[BaseModel], fault: Any, word: str) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        suggestion = did_you_mean(path, model.model_fields)
        return f"unknown {word} {path!r}" + (f": {suggestion}" if suggestion else "")
    if fault["type"] == "missing":
        return f"{path}: required"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "literal_error":
        suggestion = did_you_mean(str(fault["input"]), re.findall(r"'([^']+)'", fault["ctx"]["expected"]))
        message = f"{str(fault['input'])[:80]!r} is not one of {fault['ctx']['expected']}"
        message += f"; {suggestion}" if suggestion else ""
    return f"{path}: {message[:1].lower()}{message[1:]}"
