"""The texts of a foreign server where a list or a form shows them: hidden, one line each, and no frame of ours.

A value that would have to be changed (a default, a word of an enum, a name) is left out: as another one it would be
wrong. The schema that is left is well-formed.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_runtime import redaction
from kmcp_runtime.foreign.schema_forms import BY_NAME, INNER, LISTS
from kmcp_runtime.foreign.scrubbing import clean
from kmcp_runtime.output.render import without_frames

LONGEST_TEXT = 1024
_TEXTS = ("title", "description", "$comment")
_VALUES = ("enum", "required", "examples")
_LEFT_OUT = object()
_LONGEST_PATTERN = 512
"""Characters; a longer one may take seconds to compile."""
_ESCAPE, _CLASS = re.compile(r"\\(.)", re.DOTALL), re.compile(r"\[\^?[^\]]*\]")
_OF_PYTHON = re.compile(r"\(\?(?![:=!]|<[=!\w$])|[*+?}]\+|\\[AZ]")
_OF_ECMA = (  # what Python writes in other words, or has not at all
    (re.compile(r"\\[pP]\{[\w=]+\}|\\u\{[0-9a-fA-F]+\}|\\c[A-Za-z]"), "a"),
    (re.compile(r"\(\?<(?=\w)"), "(?P<"),
    (re.compile(r"\\k<(\w+)>"), r"(?P=\1)"),
)


def line(text: str, limit: int = LONGEST_TEXT) -> str:
    """A text as one line of at most `limit` characters, with marks in place of secrets."""
    # Hidden before it is cut: a part of a secret would not be found.
    return without_frames(clean(" ".join(redaction.text(text).split()), limit))


def shown_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of good form, as it may be shown."""
    parts = ((key, _part(key, value)) for key, value in schema.items())
    shown = {key: part for key, part in parts if part is not _LEFT_OUT}
    if len(shown.get("enum", ())) < len(schema.get("enum", ())):
        shown.pop("enumNames", None)  # which name its words by their places
    return shown


def _part(key: str, value: Any) -> Any:
    if key in _TEXTS:
        return line(value) if isinstance(value, str) else _LEFT_OUT
    if key == "pattern" and not is_pattern(value):
        return _LEFT_OUT
    if key in BY_NAME:
        named = ((name, each) for name, each in value.items() if _is_plain(name))
        return {name: _inner(each) for name, each in named if key != "patternProperties" or is_pattern(name)}
    if key in LISTS:
        # An empty list of them, or of an enum's words, is not a schema's.
        return [_inner(each) for each in value if key == "prefixItems" or _is_choice(each)] or _LEFT_OUT
    if key in INNER:
        return value if isinstance(value, bool) else _inner(value)
    if key in _VALUES and isinstance(value, list):
        return [each for each in value if _is_plain(each)] or _LEFT_OUT
    return value if _is_plain(key) and _is_plain(value) else _LEFT_OUT


def is_pattern(text: str) -> bool:
    """Whether a client can compile it: many refuse the whole list for one invalid expression.

    By Python's compiler, after what only ECMAScript has is rewritten; nothing is searched with it.
    """
    if len(text) > _LONGEST_PATTERN or _is_python(text):
        return False
    for found, written in _OF_ECMA:
        text = found.sub(written, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _is_python(text: str) -> bool:
    """Whether it has what Python alone takes: flags, comments, atomic groups, greed without return, `\\A` and `\\Z`."""
    bare = _CLASS.sub("x", _ESCAPE.sub(lambda found: found[0] if found[1] in "AZ" else "x", text))
    return _OF_PYTHON.search(bare) is not None


def texts(node: Any) -> Iterator[str]:
    """Every text of a JSON value, names too."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        yield from (text for key, value in node.items() for text in (key, *texts(value)))
    elif isinstance(node, list):
        yield from (text for each in node for text in texts(each))


def _inner(schema: Any) -> dict[str, Any]:
    """A schema below another one; `true` and `false` as the objects that mean the same."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    return shown_schema(schema)


def _is_choice(schema: Any) -> bool:
    """Whether a form among others is still the one that it was."""
    return not isinstance(schema, Mapping) or _is_plain(schema.get("const"))


def _is_plain(value: Any) -> bool:
    """Whether a value can be shown as it is."""
    return all(is_plain_text(text) for text in texts(value))


def is_plain_text(text: str) -> bool:
    """Whether a text is one line and holds nothing that is hidden."""
    return len(text.splitlines()) <= 1 and redaction.text(text) == text == without_frames(text)
