"""BM25F, a word counts more the rarer it is, and more in a name than in a description; and the nearest phrase.

What operators say when they want a tool is compared as a whole, too: of a long list of phrases the words alone say
little. A question that asks to be told something is one for a tool that reads.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
_NEAREST = 3.0  # what a phrase that is the question counts
_CHANGES = 0.6  # what a tool that changes something counts where the question asks
_ASKS = re.compile(
    r"\W*(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|do|did|has|have|am|can|show|list|find|see"
    r"|read|print|display|tell|describe|explain|check|get|give me|look|search|count|compare|view|inspect)\b",
    re.IGNORECASE,
)
"""How questions begin; an order begins with what is to be done."""


@dataclass(frozen=True)
class Entry:
    """A tool to be found: its name, and its text by field (of WEIGHTS)."""

    name: str
    fields: Mapping[str, str]
    phrases: Sequence[str] = ()
    """What operators say when they want it."""
    reads: bool = True


class Index:
    """Tools by their words."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
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
        self._changing = {entry.name for entry in entries if not entry.reads}
        self._phrases = [(entry.name, frozenset(words(phrase))) for entry in entries for phrase in entry.phrases]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, (_, held) in enumerate(self._phrases):
            for word in held:
                self._holding[word].append(number)

    def ranked(self, question: str) -> list[str]:
        """The names of the tools that have a word of the question, the best first."""
        wanted: dict[str, float] = {}
        for word in words(question):
            wanted[word] = 1.0
            for other in SYNONYMS.get(word, ()):
                wanted.setdefault(other, _SYNONYM)
        scores: dict[str, float] = defaultdict(float)
        for word, share in wanted.items():
            for tool, weight in self._weights.get(word, {}).items():
                scores[tool] += share * self._rarity(word) * weight / (_SATURATION + weight)
        for tool, nearness in self._nearest(wanted).items():
            scores[tool] += _NEAREST * nearness
        if _ASKS.match(question):
            for tool in self._changing & scores.keys():
                scores[tool] *= _CHANGES
        return sorted(scores, key=lambda tool: (-scores[tool], tool))

    def _rarity(self, word: str) -> float:
        holders = len(self._weights.get(word, ()))
        return math.log(1 + (self._size - holders + 0.5) / (holders + 0.5))

    def _nearest(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """For each tool how near its nearest phrase is: 1 when it has the same words, 0 when none."""
        common: dict[int, float] = defaultdict(float)
        for word, share in wanted.items():
            for number in self._holding.get(word, ()):
                common[number] += share * self._rarity(word) ** 2
        asked = math.sqrt(sum(self._rarity(word) ** 2 for word, share in wanted.items() if share == 1.0))
        nearest: dict[str, float] = {}
        for number, product in common.items():
            tool, held = self._phrases[number]
            size = math.sqrt(sum(self._rarity(word) ** 2 for word in held))
            nearest[tool] = max(nearest.get(tool, 0.0), product / (asked * size) if asked else 0.0)
        return nearest
