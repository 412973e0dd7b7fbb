"""The optional last step: the best matches ordered by meaning too, with word vectors that come inside a package.

It is off unless asked for: on the labelled questions it gains little over words and headings (bench/), and it brings
numpy and 16 MB of vectors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kmcp_querydoc.search.ranking import Ranked
from kmcp_runtime import unavailable

SHARE = 0.25
"""Of the final score; the rest is that of the words."""
LOOKED_AT = 30
"""Matches that are ordered anew."""
_LONGEST_TEXT = 1_200


class Reranker:
    """Word vectors, loaded when first needed."""

    def __init__(self) -> None:
        self._model: Any = None

    def load(self) -> Any:
        """The vectors; `unavailable` when the package is not installed."""
        if self._model is None:
            try:
                import wordllama
            except ImportError:
                raise unavailable(
                    "KMCP_DOCS_RERANK is on, but the package wordllama is not installed",
                    "install the extra rerank of the suite, or unset KMCP_DOCS_RERANK",
                ) from None
            # With the package's own folder it finds its files; without it looks elsewhere, then downloads them.
            folder = Path(wordllama.__file__).parent
            self._model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        return self._model

    def ranked(self, question: str, found: Sequence[Ranked], texts: Sequence[str]) -> list[Ranked]:
        """The matches, whose texts are given, in their new order and with their new scores."""
        if not found:
            return []
        model = self.load()
        vectors = model.embed([question, *(text[:_LONGEST_TEXT] for text in texts)], norm=True)
        likeness = (vectors[1:] @ vectors[0]).tolist()
        scored = [
            Ranked(one.number, round((1 - SHARE) * one.score + SHARE * max(alike, 0.0), 4))
            for one, alike in zip(found, likeness, strict=True)
        ]
        return sorted(scored, key=lambda one: -one.score)
