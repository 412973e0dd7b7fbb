"""The words by which text is found: what the full-text index is given of a chunk, and of a question."""

import re
from collections.abc import Iterator

_URL = re.compile(r"https?://\S+")
_CAMEL = re.compile(r"\b[A-Za-z]+[a-z][A-Z]\w*\b")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.:/-]+[A-Za-z0-9]+)+|[A-Za-z]+[a-z][A-Z]\w*|[A-Za-z]{4,}")
LONGEST_NAME = 60


def searchable(text: str) -> str:
    """The text as it is indexed: without addresses, and with the parts of `camelCase` names as words of their own."""
    # Addresses are full of words that say nothing about the text around them.
    text = _URL.sub(" ", text)
    parts = {part for name in _CAMEL.findall(text) for part in parts_of(name)}
    return f"{text}\n{' '.join(sorted(parts))}" if parts else text


def parts_of(name: str) -> list[str]:
    """The words that a name is made of: `kubeProxyReplacement`, `tsdb_head`, `--log-level`."""
    return [part.lower() for piece in re.split(r"[\W_]+", name) for part in _PARTS.findall(piece) if len(part) > 1]


def names(text: str) -> Iterator[str]:
    """What a misspelt or shortened name may be found by: identifiers, flags, and longer words, in lower case."""
    for found in _NAME.findall(text):
        if len(found) <= LONGEST_NAME:
            yield found.lower()
