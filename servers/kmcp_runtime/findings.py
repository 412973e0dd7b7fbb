"""What pydantic finds wrong, in our words: the one translation for arguments, settings and documents."""

import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from kmcp_runtime.errors import nearest, quoted_list
from kmcp_runtime.schema import published

Path = tuple[str | int, ...]
_LONGEST_ECHO = 80
_TYPO = 0.8
"""From this likeness on a word is another one misspelt."""
_MOST_MEANT = 3
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_EMPTY_WORDS = frozenset({"a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to"})
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_BRANCH = re.compile(r"(?:dict|list|tuple|set)\[.*\]|str|int|float|bool|constrained-.*|function-.*")
"""How pydantic names the members of a union in the place of a fault."""
_MOST_TOLD = 10
"""Faults of one validation that are put in words; more help nobody, and each one costs a search for near names."""


class Finding(NamedTuple):
    """One thing that is wrong at one place: `must be text`, and the step that mends it."""

    path: Path
    kind: Literal["unknown", "missing", "wrong"]
    text: str
    step: str


_MAPPING = ("must be a mapping", "write key: value pairs")
_LIST = ("must be a list", "write [a, b]")
_WHOLE = "must be a whole number"
_UNQUOTED = "write it without quotes"
_TEXTS: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "set it"),
    "string_type": ("must be text", "put it in quotes"),
    "string_too_short": ("must have {min_length} or more characters", "make it longer"),
    "string_too_long": ("must have {max_length} or fewer characters", "make it shorter"),
    "string_pattern_mismatch": ("must match {pattern}", "correct it"),
    "int_type": (_WHOLE, _UNQUOTED),
    "int_parsing": (_WHOLE, _UNQUOTED),
    "int_from_float": (_WHOLE, "write it without a fraction"),
    "float_type": ("must be a number", _UNQUOTED),
    "float_parsing": ("must be a number", _UNQUOTED),
    "finite_number": ("must be a finite number", "correct it"),
    "greater_than": ("must be greater than {gt}", "correct it"),
    "greater_than_equal": ("must be at least {ge}", "correct it"),
    "less_than": ("must be less than {lt}", "correct it"),
    "less_than_equal": ("must be at most {le}", "correct it"),
    "bool_type": ("must be true or false", "write one of them without quotes"),
    "bool_parsing": ("must be true or false", "write one of them without quotes"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": ("must have {min_length} or more elements", "add what is missing"),
    "too_long": ("must have {max_length} or fewer elements", "split it"),
}
"""Fault and next step by pydantic's type of error; the places are filled from the error's context."""
POINTER = r"^(/|$)"
"""What a JSON Pointer (RFC 6901) begins with."""
_PATTERNS = {POINTER: ("must be a JSON Pointer, such as /items/0/name", "write it with slashes")}
"""Patterns that a reader should not have to decipher."""


def findings(error: ValidationError, model: Any) -> list[Finding]:
    """Every fault of a validation; `model` is what was validated: a model or a type such as `list[Model]`."""
    return [_finding(each, model) for each in error.errors(include_url=False)]


def faults(model: Any, error: ValidationError, word: str = "argument") -> list[str]:
    """The faults of a validation in a sentence each, the first ten and the number of the rest; `word`: a member."""
    # What is no argument at all first: nothing that is said of the others matters as long as it is there.
    found = sorted(error.errors(include_url=False), key=lambda each: each["type"] not in _UNKNOWN)
    said = _joined_branches([(each, _finding(each, model)) for each in found[:_MOST_TOLD]])
    told = [_sentence(each, model, word) for each in said]
    rest = len(found) - _MOST_TOLD
    return [*told, f"and {rest} more"] if rest > 0 else told


def _joined_branches(found: Sequence[tuple[Any, Finding]]) -> list[Finding]:
    """The faults, with one for a value that may be of several types and is of none: `must be a mapping or text`.

    Pydantic reports each type by itself, at a place that nobody has written: `set.dict[str,any]`.
    """
    beside: dict[Path, list[tuple[str, Finding]]] = {}
    for error, finding in found:
        beside.setdefault(finding.path[:-1], []).append((error["type"], finding))
    return list(dict.fromkeys(_joined(finding, beside[finding.path[:-1]]) for _, finding in found))


def _joined(finding: Finding, branches: Sequence[tuple[str, Finding]]) -> Finding:
    # A mapping may have keys like these: then all of its values are wrong in the same way.
    different = len({kind for kind, _ in branches}) == len(branches) > 1
    if not different or not all(_is_branch(other.path) for _, other in branches):
        return finding
    first, *others = (other.text for _, other in branches)
    text = " or ".join([first, *(other.removeprefix("must be ") for other in others)])
    return Finding(finding.path[:-1], "wrong", text, "")


def _is_branch(path: Path) -> bool:
    return len(path) > 1 and bool(_BRANCH.fullmatch(str(path[-1])))


def dotted(path: Path) -> str:
    """`spec.tools[0].name`; empty for the whole."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def known_at(model: Any, path: Path) -> list[str]:
    """The keys that the model at `path` below `model` takes, as callers may learn them."""
    for part in path:
        model = _step(model, part)
    inner = _inner(model)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return [inner.model_fields[name].alias or name for name in published(inner)]
    return [field.alias or name for name, field in getattr(inner, "__pydantic_fields__", {}).items()]


def _finding(found: Any, model: Any) -> Finding:
    kind, context = found["type"], found.get("ctx", {})
    # Pydantic's mark for a key of a mapping; people look for the key itself.
    path = tuple(part for part in found["loc"] if part != "[key]")
    if kind in _UNKNOWN:
        known = sorted(known_at(model, path[:-1]))
        close = nearest(str(path[-1]), known, count=1)
        step = f'did you mean "{close[0]}"?' if close else "known here: " + ", ".join(known)
        return Finding(path, "unknown", "unknown key", step)
    if kind in ("enum", "literal_error"):
        # Only here the value is repeated: a choice is no place for a secret, and a typo shows beside the choices.
        given = str(found["input"])
        wrong = f"{given[:_LONGEST_ECHO]!r} is not one of {context['expected']}"
        close = nearest(given, [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")])
        return Finding(path, "wrong", wrong, f"did you mean {', '.join(close)}?" if close else "use one of them")
    if kind == "value_error":
        return Finding(path, "wrong", str(context["error"]), "")
    if kind in _TEXTS:
        text, step = _PATTERNS.get(context.get("pattern"), _TEXTS[kind])
        return Finding(path, "missing" if kind == "missing" else "wrong", text.format(**context), step)
    return Finding(path, "wrong", found["msg"][:1].lower() + found["msg"][1:], "correct it")


def _sentence(found: Finding, model: Any, word: str) -> str:
    where = dotted(found.path)
    if found.kind == "unknown":
        meant = _meant(str(found.path[-1]), _described_at(model, found.path[:-1]))
        message = f"unknown {word} {where!r}"
        return f"{message}: did you mean {quoted_list(meant)}?" if meant else message
    guess = f"; {found.step}" if found.step.startswith("did you mean") else ""
    return f"{where}: {found.text}{guess}" if where else found.text + guess


def _meant(word: str, known: Mapping[str, str]) -> list[str]:
    """The known keys that a wrong one stands for: misspelt, of the same words, or described by one of them."""
    spelt = nearest(word, known)
    if spelt and difflib.SequenceMatcher(None, word.lower(), spelt[0].lower()).ratio() >= _TYPO:
        return spelt
    parts = _words(word)
    named = [key for key in known if (words := _words(key)) and parts and (words <= parts or parts <= words)]
    described = [key for key, text in known.items() if parts & _words(text)]
    # `release_name` is `name`, which is described as a release, and not `create_namespace`, which is spelt alike.
    return (sorted(named, key=lambda key: key not in described) or described or spelt)[:_MOST_MEANT]


def _words(text: str) -> set[str]:
    return {part.lower() for part in _WORD.findall(text)} - _EMPTY_WORDS


def _described_at(model: Any, path: Path) -> dict[str, str]:
    """The keys of `known_at`, with what each is."""
    for part in path:
        model = _step(model, part)
    inner = _inner(model)
    fields = getattr(inner, "model_fields", None) or getattr(inner, "__pydantic_fields__", {})
    texts = {field.alias or name: field.description or "" for name, field in fields.items()}
    return {key: texts.get(key, "") for key in known_at(inner, ())}


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
