"""Misspelt words: the known word that is one slip away (a letter too many, too few, wrong, or two changed places)."""

from collections.abc import Collection, Iterator
from string import ascii_lowercase

_SHORTEST, _LONGEST = 5, 24


def meant(word: str, known: Collection[str]) -> str | None:
    """The known word that is one slip away from an unknown one, or None; the first letter is taken as right.

    Short words are left alone: too many others are near. Bounded: at most 54 words for each letter are looked up.
    """
    if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha():
        return None
    return next((other for other in _near(word) if other in known), None)


def _near(word: str) -> Iterator[str]:
    """Words one slip away, the commonest slips first."""
    cuts = [(word[:place], word[place:]) for place in range(1, len(word) + 1)]
    yield from (head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1)
    yield from (head + letter + tail for head, tail in cuts for letter in ascii_lowercase)
    yield from (head + tail[1:] for head, tail in cuts if tail)
    yield from (head + letter + tail[1:] for head, tail in cuts if tail for letter in ascii_lowercase)
