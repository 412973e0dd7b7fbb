"""BM25F, a word counts more the rarer it is, and more in a name than in a description; and the nearest phrase.

What operators say when they want a tool is compared as a whole, too: of a long list of phrases the words alone say
little. A question that asks to be told something is one for a tool that reads.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from kmcp_runtime.door.question import Question
from kmcp_runtime.door.words import SYNONYMS, words

WEIGHTS: Mapping[str, float] = {
    "name": 4.0,
    "description": 1.5,
    "values": 0.8,
    "arguments": 0.5,
    "server": 2.5,
    "phrases": 1.0,
}
_SATURATION = 3.0
_LENGTH = 0.2
_NEAREST = 2.0  # what a phrase that is the question counts
_CHANGES = 0.6  # what a tool that changes something counts where the question asks
_READS = 0.5  # what a tool that reads counts where the question orders
_PARTED = re.compile(r"[;\n]")
_MOST_PARTS = 8
_SUBJECT = 0.3  # how much more a tool counts whose server alone is about what the question names


@dataclass(frozen=True)
class Entry:
    """A tool to be found: its name, and its text by field (of WEIGHTS)."""

    name: str
    fields: Mapping[str, str]
    phrases: Sequence[str] = ()
    """What operators say when they want it."""
    reads: bool = True
    subject: str = ""
    """What its server is about, in words: objects, parts and other names of them; the same for all its tools."""


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
        self._subject_of = {entry.name: entry.subject for entry in entries}
        self._subjects: dict[str, set[str]] = defaultdict(set)
        for subject in set(self._subject_of.values()):
            for word in words(subject):
                self._subjects[word].add(subject)
        self._changing = {entry.name for entry in entries if not entry.reads}
        self._phrases = [(entry.name, frozenset(words(phrase))) for entry in entries for phrase in entry.phrases]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, (_, held) in enumerate(self._phrases):
            for word in held:
                self._holding[word].append(number)
        self._known = frozenset({*self._weights, *self._subjects, *SYNONYMS})

    def ranked(self, question: str) -> list[str]:
        """The names of the tools that have a word of the question, the best first.

        Of several questions in one, parted by semicolons or lines, each has its best first in turn.
        """
        parts = [part for part in _PARTED.split(question) if part.strip()]
        if len(parts) < 2:
            return self._ranked(question)
        turns = zip_longest(*(self._ranked(part) for part in parts[:_MOST_PARTS]))
        return list(dict.fromkeys(name for turn in turns for name in turn if name is not None))

    def _ranked(self, question: str) -> list[str]:
        asked = Question.of(question, self._known)
        scores: dict[str, float] = defaultdict(float)
        for word, share in asked.wanted.items():
            for tool, weight in self._weights.get(word, {}).items():
                scores[tool] += share * self._rarity(word) * weight / (_SATURATION + weight)
        for tool, nearness in self._nearest(asked.wanted).items():
            scores[tool] += _NEAREST * nearness
        likely = self._likely(asked.wanted)
        for tool in scores:
            if asked.asks and tool in self._changing:
                scores[tool] *= _CHANGES
            if asked.orders and tool not in self._changing:
                scores[tool] *= _READS
            scores[tool] *= 1 + _SUBJECT * likely.get(self._subject_of.get(tool, ""), 0.0)
        return sorted(scores, key=lambda tool: (-scores[tool], tool))

    def _likely(self, wanted: Mapping[str, float]) -> dict[str, float]:
        """For each subject how much the question is about it, from 0 to 1: most for words that no other has."""
        found: dict[str, float] = {}
        for word, share in wanted.items():
            holders = self._subjects.get(word, ()) if share == 1.0 else ()
            for subject in holders:
                found[subject] = max(found.get(subject, 0.0), 1 / len(holders))
        return found

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
