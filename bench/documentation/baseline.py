"""A plain full-text search beside ours: SQLite FTS5 with porter stemming and its own BM25, over the same chunks."""

import re
import sqlite3
from pathlib import Path
from typing import Any

from kmcp_querydoc.index.layout import SEPARATOR

_WORD = re.compile(r"\w+")


class Plain:
    """All words of a question, any of which may match; title, headings and text in one field."""

    def __init__(self, index: Path) -> None:
        self._memory = sqlite3.connect(":memory:")
        self._memory.execute(
            "CREATE VIRTUAL TABLE plain USING fts5 (product UNINDEXED, path UNINDEXED, headings"
            " UNINDEXED, words, tokenize='porter unicode61')"
        )
        with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as source:
            rows = source.execute(
                "SELECT products.name, pages.path, pages.title, chunks.headings, chunks.content FROM chunks"
                " JOIN pages ON pages.id = chunks.page JOIN products ON products.id = pages.product"
            ).fetchall()
        self._memory.executemany(
            "INSERT INTO plain VALUES (?, ?, ?, ?)",
            (
                (name, path, headings, f"{title}\n{headings}\n{content}")
                for name, path, title, headings, content in rows
            ),
        )

    def search(self, question: str, product: str | None, most: int) -> list[dict[str, Any]]:
        """The best chunks, in the shape of the server's answers."""
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(question))
        found = self._memory.execute(
            "SELECT product, path, headings FROM plain WHERE plain MATCH ? AND (? IS NULL OR product = ?)"
            " ORDER BY bm25(plain), rowid LIMIT ?",
            (f"words : ({words})", product, product, most),
        )
        return [
            {"product": name, "citation": f"{name}:{path}", "heading_path": " > ".join(headings.split(SEPARATOR))}
            for name, path, headings in found
        ]
