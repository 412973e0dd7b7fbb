"""Words as the full-text index has them: cut by the very tokenizer that made it, so that both always agree."""

import sqlite3
from collections.abc import Iterable

MOST_KNOWN = 5_000
"""Stems that are remembered."""
TOKENIZER = "porter unicode61 remove_diacritics 2"


def joined(stems: Iterable[str]) -> str:
    """Stems as one text, a blank before and after each: to count one, or a row of them, is to count a text in it."""
    return "".join(f" {stem} " for stem in stems)


class Stemmer:
    """SQLite's own tokenizer, asked through a table in memory."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize='{TOKENIZER}')")
        # fts5vocab in `instance` mode lists every term with its row and its place in the text (sqlite.org/fts5.html).
        self._db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab ('texts', 'instance')")

    def stem(self, word: str) -> str:
        """The stems of one word or name, as one text."""
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = " ".join(self.stems([word])[0])
            # Questions repeat their words; a full clear is enough and needs no order of use.
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
        return known

    def close(self) -> None:
        self._db.close()

    def stems(self, texts: Iterable[str]) -> list[list[str]]:
        """The stems of each text, in its order."""
        rows = [(text,) for text in texts]
        found: list[list[tuple[int, str]]] = [[] for _ in rows]
        self._db.execute("DELETE FROM texts")
        first = 1
        self._db.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)", [(first + at, row[0]) for at, row in enumerate(rows)]
        )
        for term, number, offset in self._db.execute("SELECT term, doc, offset FROM terms"):
            found[number - first].append((offset, term))
        return [[term for _, term in sorted(each)] for each in found]
