"""A question as the search reads it: the words that count, whether it asks or orders, and slips of the pen mended."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kmcp_runtime.door.misspelt import meant
from kmcp_runtime.door.sayings import sayings
from kmcp_runtime.door.words import SYNONYMS, is_empty, split, stem

_SYNONYM = 0.3  # what a synonym counts of the word itself
_SAID = 0.9  # what the words count that a saying stands for
_MISSPELT = 0.8
_ASKS = re.compile(
    r"\W*(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|do|did|has|have|am|can|show|list|find|see"
    r"|read|print|display|tell|describe|explain|check|get|give me|look|search|count|compare|view|inspect)\b",
    re.IGNORECASE,
)
"""How questions begin; an order begins with what is to be done."""
_ORDERS = re.compile(
    r"\W*(?:please |i (?:want|need) to |let'?s |can you |could you )?(?:delete|remove|drop|create|add|make|put|set|turn"
    r"|enable|disable|install|uninstall|upgrade|update|change|edit|modify|restart|bounce|scale|stop|start|kill|throw|take"
    r"|move|apply|deploy|roll|undo|revert|pause|resume|abort|promote|ship|mute|unmute|silence|drain|cordon|connect"
    r"|disconnect|join|register|replace|rename|patch|strip|switch|block|allow|bump|clean|flush|wipe|reset|retry|cancel)\b",
    re.IGNORECASE,
)
_NOT_MEANT = re.compile(r"\b(?:without|instead of|rather than|before|not) \w+ing\b", re.IGNORECASE)
"""An action that the question excludes or puts off."""


@dataclass(frozen=True)
class Question:
    """What somebody wants to do, in words."""

    wanted: Mapping[str, float]
    """What each stem counts: 1 for a word that was said, less for one that it stands for."""
    asks: bool
    orders: bool

    @classmethod
    def of(cls, text: str, known: Collection[str]) -> "Question":
        """Read a text; `known` are the stems that a tool has or that stand for one."""
        meaning = _NOT_MEANT.sub(" ", text)
        wanted: dict[str, float] = {}
        for word in dict.fromkeys(split(meaning)):
            if not is_empty(word):
                wanted.update(_read(word, known))
        for said, stands_for in sayings():
            if said.search(meaning):
                for word in stands_for:
                    wanted.setdefault(word, _SAID)
        for word, share in list(wanted.items()):
            for other in SYNONYMS.get(word, ()):
                wanted.setdefault(other, _SYNONYM * share)
        orders = _ORDERS.match(text) is not None
        return cls(wanted, not orders and _ASKS.match(text) is not None, orders)


def _read(word: str, known: Collection[str]) -> dict[str, float]:
    root = stem(word)
    if root in known:
        return {root: 1.0}
    other = meant(root, known)
    return {root: 1.0} if other is None else {root: 1.0, other: _MISSPELT}
