"""Faults of a document: where, what, and what to do next.

Written `path: fault; next step`, with the line before it when the document came as text.
"""

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from kmcp_runtime.errors import nearest

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    path: Path
    text: str  # "fault; next step"

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.text}"


class InvalidDocumentError(ValueError):
    """A document that was refused, with all its faults."""

    def __init__(self, faults: Iterable[Fault], lines: Mapping[Path, int] | None = None, where: str = "") -> None:
        self.faults = tuple(faults)
        self.lines = lines or {}
        self.where = where
        super().__init__("\n".join(self.report()))

    def report(self) -> list[str]:
        return [self._prefix(fault) + str(fault) for fault in self.faults]

    def _prefix(self, fault: Fault) -> str:
        line = line_of(self.lines, fault.path)
        return ":".join(part for part in (self.where, str(line) if line else "") if part) + (
            ": " if self.where or line else ""
        )


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest thing around it that the text has."""
    for end in range(len(path), -1, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "document"


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or the list of what there is."""
    words = sorted(known)
    close = nearest(word, words, count=1)
    return f'did you mean "{close[0]}"?' if close else "known here: " + ", ".join(words)


def faults_of(error: ValidationError, model: type[BaseModel], root: Path = ()) -> list[Fault]:
    """Pydantic's findings in our words."""
    return [
        Fault(
            root + _plain(found["loc"]), _text(found["type"], found["msg"], found.get("ctx", {}), found["loc"], model)
        )
        for found in error.errors(include_url=False, include_input=False)
    ]


_EXPECTED = {
    "missing": "is required; set it",
    "string_type": "is not text; put it in quotes",
    "int_type": "is not a whole number; write it without quotes",
    "int_from_float": "is not a whole number; write it without a fraction",
    "bool_type": "is neither true nor false; write one of them without quotes",
    "dict_type": "is not a mapping; write key: value pairs",
    "model_type": "is not a mapping; write key: value pairs",
    "dataclass_type": "is not a mapping; write key: value pairs",
    "tuple_type": "is not a list; write [a, b]",
    "list_type": "is not a list; write [a, b]",
}


def _text(kind: str, message: str, ctx: Mapping[str, Any], loc: Path, model: type[BaseModel]) -> str:
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key; {suggestion(str(loc[-1]), _keys(model, loc[:-1]))}"
    if kind in ("enum", "literal_error"):
        return f"is none of the known values; use {ctx['expected']}"
    if kind == "value_error":
        return str(ctx["error"])
    return _EXPECTED.get(kind) or f"{message[:1].lower()}{message[1:]}; correct it"


def _plain(loc: Path) -> Path:
    return tuple(part for part in loc if part != "[key]")


def _keys(kind: Any, path: Path) -> list[str]:
    """The keys that the model at `path` below `kind` takes."""
    for part in path:
        kind = _step(kind, part)
    fields = getattr(_inner(kind), "model_fields", None) or getattr(_inner(kind), "__pydantic_fields__", {})
    return [field.alias or name for name, field in fields.items()]


def _step(kind: Any, part: str | int) -> Any:
    inner = _inner(kind)
    for name, field in getattr(inner, "model_fields", {}).items():
        if part in (name, field.alias):
            return field.annotation
    arguments = typing.get_args(inner)
    if not arguments:
        return Any
    return arguments[0] if isinstance(part, int) else arguments[-1]


def _inner(kind: Any) -> Any:
    """The member of an optional type that is not None."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next((a for a in typing.get_args(kind) if a is not type(None)), Any)
    return kind
