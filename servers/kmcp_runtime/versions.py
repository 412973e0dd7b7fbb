"""Semantic versions (semver.org, 2.0.0): whether a text is one, and which of two is newer."""

import re
from dataclasses import dataclass

_NUMBER = r"(?:0|[1-9]\d*)"
_IDENTIFIER = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_FORM = re.compile(
    rf"v?({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_LONGEST = 256


@dataclass(frozen=True, order=True)
class Version:
    """A version in its order: by numbers, then a release after its pre-releases, which compare part by part."""

    numbers: tuple[int, int, int]
    is_release: bool
    parts: tuple[tuple[bool, int, str], ...]
    """Of a pre-release: numbers before words, and fewer before more."""


def parse(text: str) -> Version | None:
    """The version, also with a leading `v` and with build metadata, which has no rank; None for any other text."""
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    parts = tuple(_part(word) for word in found[4].split(".")) if found[4] else ()
    return Version((int(found[1]), int(found[2]), int(found[3])), not parts, parts)


def _part(word: str) -> tuple[bool, int, str]:
    return (False, int(word), "") if word.isdigit() else (True, 0, word)
