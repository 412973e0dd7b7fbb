"""BM25F: a word counts more the rarer it is, and more in a name than in a description."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kmcp_runtime.door.words import SYNONYMS, words

WEIGHTS: Mapping[str, float] = {
    "name": 4.0,
    "description": 2.0,
    "values": 0.8,
    "arguments": 0.5,
    "server": 2.0,
    "phrases": 1.0,
}
_SYNONYM = 0.3  # what a synonym counts of the word itself
_SATURATION = 1.2
_LENGTH = 0.5


@dataclass(frozen=True)
class Entry:
    """A tool to be found: its name, and its text by field (of WEIGHTS)."""

    name: str
    fields: Mapping[str, str]


class Index:
    """Tools by their words."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        counted = {entry.name: {name: Counter(words(text)) for name, text in entry.fields.items()} for entry in entries}
        sizes: dict[str, list[int]] = defaultdict(list)
        for fields in counted.values():
            for name, counts in fields.items():
                sizes[name].append(counts.total())
        average = {name: max(1.0, sum(found) / len(found)) for name, found in sizes.items()}
        self._weights: dict[str, dict[str, float]] = defaultdict(dict)
        for tool, fields in counted.items():
            for name, counts in fields.items():
                length = 1 - _LENGTH + _LENGTH * counts.total() / average[name]
                for word, count in counts.items():
                    has = self._weights[word].get(tool, 0.0)
                    self._weights[word][tool] = has + WEIGHTS[name] * count / length
        self._size = len(counted)

    def ranked(self, question: str) -> list[str]:
        """The names of the tools that have a word of the question, the best first."""
        wanted: dict[str, float] = {}
        for word in words(question):
            wanted[word] = 1.0
            for other in SYNONYMS.get(word, ()):
                wanted.setdefault(other, _SYNONYM)
        scores: dict[str, float] = defaultdict(float)
        for word, share in wanted.items():
            holders = self._weights.get(word, {})
            rarity = math.log(1 + (self._size - len(holders) + 0.5) / (len(holders) + 0.5))
            for tool, weight in holders.items():
                scores[tool] += share * rarity * weight / (_SATURATION + weight)
        return sorted(scores, key=lambda tool: (-scores[tool], tool))
