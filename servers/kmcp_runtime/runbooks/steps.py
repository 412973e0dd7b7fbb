"""The calls that a runbook names, by one rule.

A code span such as `k8s_get_events(namespace={namespace}, limit=20)` is a call of a tool. A value is JSON, or a
placeholder: `{word}` for an argument of the runbook, `<words>` for what an earlier answer showed. Both may stand
inside of a JSON text, too. Whatever else is in code is a word to look for in the answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_FOUND = re.compile(r"<([a-z][a-z ]*)>")
_SPAN = re.compile(r"`([^`\n]+)`")
_CALL = re.compile(r"([a-z][a-z0-9]*(?:_[a-z0-9]+)+)\((.*)\)")
_ARGUMENT = re.compile(r"\s*([a-z][a-z0-9_]*)=")
_BARE = re.compile(r"\{[a-z][a-z0-9_]*\}|<[a-z][a-z ]*>")
_STEP = re.compile(r"^(\d+)\. ", re.MULTILINE)


@dataclass(frozen=True)
class NamedCall:
    """A call as the text has it."""

    tool: str
    arguments: Mapping[str, Any]
    """Placeholders stand in it as they are written."""

    def filled(self, given: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with their values; one that is only a placeholder without a value is left out."""
        pairs = {name: _filled(value, given, found) for name, value in self.arguments.items()}
        return {name: value for name, value in pairs.items() if value is not None}


@dataclass(frozen=True)
class Step:
    """A numbered part of a runbook."""

    number: int
    text: str

    @property
    def calls(self) -> list[NamedCall]:
        return list(calls_in(self.text))

    @property
    def words(self) -> list[str]:
        """What to look for."""
        return [span for span in _SPAN.findall(self.text) if not _CALL.fullmatch(span)]


def steps_of(body: str) -> list[Step]:
    """The numbered steps, in their order."""
    starts = list(_STEP.finditer(body))
    ends = [each.start() for each in starts[1:]] + [len(body)]
    return [Step(int(each[1]), body[each.end() : end]) for each, end in zip(starts, ends, strict=True)]


def calls_in(text: str) -> Iterator[NamedCall]:
    """Every call that a text names. Errors: ValueError for one whose arguments cannot be read."""
    for span in _SPAN.findall(text):
        if match := _CALL.fullmatch(span):
            yield NamedCall(match[1], _arguments(match[2], span))


def _arguments(text: str, span: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(text):
        name = _ARGUMENT.match(text, at)
        if name is None or name[1] in found:
            raise ValueError(f"{span}: arguments are name=value, each once, with commas between them")
        if bare := _BARE.match(text, name.end()):
            found[name[1]], at = bare[0], bare.end()
        else:
            try:
                found[name[1]], at = json.JSONDecoder().raw_decode(text, name.end())
            except ValueError:
                raise ValueError(f"{span}: the value of {name[1]} is neither JSON nor a placeholder") from None
        if at < len(text) and text[at] != ",":
            raise ValueError(f"{span}: a comma is missing after {name[1]}")
        at += 1
    return found


def _filled(value: Any, given: Mapping[str, str], found: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if whole := PLACEHOLDER.fullmatch(value):
            return given.get(whole[1])
        if whole := _FOUND.fullmatch(value):
            return found[whole[1]]
        with_given = PLACEHOLDER.sub(lambda match: given.get(match[1], match[0]), value)
        return _FOUND.sub(lambda match: str(found[match[1]]), with_given)
    if isinstance(value, list):
        return [_filled(each, given, found) for each in value]
    return value
