"""An index as servers read it.

Statements are composed of our own text and placeholders; a value is always bound, never part of a statement.
"""

# Each statement is composed of constants and placeholders (see above), which the rule cannot know.
# ruff: noqa: S608

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_querydoc.index.layout import PER_PRODUCT, SEPARATOR


@dataclass(frozen=True)
class Product:
    """One version of a product."""

    number: int
    name: str
    version: str
    aliases: tuple[str, ...]
    source: str
    built: str
    pages: int
    chunks: int
    code: bool


@dataclass(frozen=True)
class Held:
    """A page that the index has."""

    number: int
    product: int
    chunks: int


@dataclass(frozen=True)
class Passage:
    """A chunk with what it is part of."""

    number: int
    product: int
    page: int
    path: str
    url: str
    title: str
    of: int
    """Chunks of the page."""
    position: int
    headings: tuple[str, ...]
    anchor: str
    first_line: int
    content: str


@dataclass(frozen=True)
class Stemmed:
    """The stems of a candidate, with a blank around each, by field: title, headings, body."""

    number: int
    page: int
    fields: tuple[str, str, str]
    whole: str


@dataclass(frozen=True)
class Within:
    """The pages that are searched: those below an address, with one of some suffixes."""

    prefix: str = ""
    suffixes: tuple[str, ...] = ()

    def condition(self) -> tuple[str, list[str]]:
        """For chunks by `rowid`, and its values; the prefix is of a URL, of its path, or of a path in the source."""
        terms, values = [], []
        if self.prefix:
            like, path = f"{_literally(self.prefix)}%", f"{_literally(self.prefix.lstrip('/'))}%"
            terms.append("(" + " OR ".join(f"p.{column} LIKE ? ESCAPE '!'" for column in ("url", "path", "url")) + ")")
            values += [like, path, f"http%://%/{path}"]
        if self.suffixes:
            terms.append("(" + " OR ".join("p.path LIKE ? ESCAPE '!'" for _ in self.suffixes) + ")")
            values += [f"%.{_literally(suffix.lstrip('.'))}" for suffix in self.suffixes]
        if not terms:
            return "", []
        chunks = "SELECT c.id FROM chunks c JOIN pages p ON p.id = c.page WHERE"
        return f" AND rowid IN ({chunks} {' AND '.join(terms)})", values


_PASSAGE = """
SELECT c.id, p.product, p.id, p.path, p.url, p.title, p.chunks,
  c.position, c.headings, c.anchor, c.first_line, c.content
FROM chunks c JOIN pages p ON p.id = c.page"""


def open_file(path: Path) -> sqlite3.Connection:
    """The file, never written to: a build puts another one in its place."""
    # `immutable` spares SQLite locks and journals, which a read-only volume of a pod could not hold.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


class Index:
    """The queries on an index; one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.products = tuple(self._products())
        self.average = self._average()

    def close(self) -> None:
        self._db.close()

    def frequencies(self, products: Sequence[Product], stems: Iterable[str]) -> dict[str, int]:
        """In how many chunks of these products each stem is; 0 where in none."""
        wanted = list(dict.fromkeys(stems))
        rows = self._db.execute(
            f"SELECT stem, sum(chunks) FROM frequencies WHERE stem IN ({_marks(wanted)})"
            f" AND product IN ({_marks(products)}) GROUP BY stem",
            (*wanted, *(product.number for product in products)),
        )
        return dict.fromkeys(wanted, 0) | dict(rows.fetchall())

    def candidates(
        self, table: str, match: str, products: Sequence[Product], most: int, within: "Within | None" = None
    ) -> list[int]:
        """The chunks that the full-text index puts first, of these products and pages."""
        # One weight per column: title, headings, body; path and body for code. bm25() is better the smaller it is.
        weights = "3, 5, 1" if table == "words" else "2, 1"
        ranges = " OR ".join("rowid BETWEEN ? AND ?" for _ in products)
        bounds = [edge for product in products for edge in _range(product)]
        where, values = within.condition() if within else ("", [])
        rows = self._db.execute(
            f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND ({ranges}){where}"
            f" ORDER BY bm25({table}, {weights}) LIMIT ?",
            (match, *bounds, *values, most),
        )
        return [number for (number,) in rows]

    def stemmed(self, numbers: Sequence[int]) -> list[Stemmed]:
        rows = self._db.execute(
            "SELECT s.chunk, c.page, s.title, s.headings, s.body FROM stems s JOIN chunks c ON c.id = s.chunk"
            f" WHERE s.chunk IN ({_marks(numbers)})",
            [*numbers],
        )
        return [
            Stemmed(number, page, (title, headings, body), f"{title}{headings}{body}")
            for number, page, title, headings, body in rows
        ]

    def passages(self, numbers: Sequence[int]) -> list[Passage]:
        """These chunks, in the order asked for."""
        rows = self._db.execute(f"{_PASSAGE} WHERE c.id IN ({_marks(numbers)})", [*numbers])
        found = {row[0]: _passage(row) for row in rows}
        return [found[number] for number in numbers]

    def page(self, page: int, start: int, end: int) -> list[Passage]:
        """Chunks of a page from one position to another, both included."""
        rows = self._db.execute(
            f"{_PASSAGE} WHERE c.page = ? AND c.position BETWEEN ? AND ? ORDER BY c.position", (page, start, end)
        )
        return [_passage(row) for row in rows]

    def pages_at(self, address: str, products: Sequence[Product]) -> list["Held"]:
        """The pages with that URL or path, with or without a slash at the end."""
        rows = self._db.execute(
            "SELECT id, product, chunks FROM pages WHERE ? IN (url, path, rtrim(url, '/')) AND chunks > 0"
            f" AND product IN ({_marks(products)}) ORDER BY id",
            (address.rstrip("/") or address, *(product.number for product in products)),
        )
        return [Held(*row) for row in rows]

    def addresses(self, products: Sequence[Product]) -> list[str]:
        rows = self._db.execute(
            f"SELECT url FROM pages WHERE product IN ({_marks(products)})", [product.number for product in products]
        )
        return [url for (url,) in rows]

    def names_holding(self, part: str, most: int) -> list[str]:
        """Names that hold a text of at least three characters, shortest first."""
        rows = self._db.execute(
            "SELECT name FROM names WHERE names MATCH ? ORDER BY length(name) LIMIT ?", (_quoted(part), most)
        )
        return [name for (name,) in rows]

    def names_like(self, word: str, most: int) -> list[str]:
        """Names that share most pieces of three characters with a word."""
        pieces = [word[at : at + 3] for at in range(len(word) - 2)]
        match = " OR ".join(_quoted(piece) for piece in dict.fromkeys(pieces))
        rows = self._db.execute("SELECT name FROM names WHERE names MATCH ? ORDER BY rank LIMIT ?", (match, most))
        return [name for (name,) in rows]

    def _products(self) -> list[Product]:
        rows = self._db.execute(
            "SELECT s.id, s.name, s.version, s.aliases, s.source, s.built, count(p.id), coalesce(sum(p.chunks), 0),"
            " coalesce(max(p.code), 0) FROM products s LEFT JOIN pages p ON p.product = s.id"
            # A product without a time is one whose first build has not come to its end.
            " WHERE s.built <> '' GROUP BY s.id ORDER BY s.name, s.version"
        )
        return [
            Product(number, name, version, tuple(json.loads(aliases)), source, built, pages, chunks, bool(code))
            for number, name, version, aliases, source, built, pages, chunks, code in rows
        ]

    def _average(self) -> tuple[float, float, float]:
        """Stems of a chunk on average, by field."""
        row = self._db.execute("SELECT title, headings, body FROM lengths").fetchone()
        return (float(row[0]), float(row[1]), float(row[2]))


def _passage(row: Sequence[Any]) -> Passage:
    """A row as the tables hold it: SQLite's types are those of the schema."""
    number, product, page, path, url, title, of, position, headings, anchor, line, content = row
    return Passage(
        number,
        product,
        page,
        path,
        url,
        title,
        of,
        position,
        tuple(part for part in str(headings).split(SEPARATOR) if part),
        str(anchor),
        line,
        str(content),
    )


def _literally(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _range(product: Product) -> tuple[int, int]:
    return product.number * PER_PRODUCT, (product.number + 1) * PER_PRODUCT - 1


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _quoted(text: str) -> str:
    """As one literal of the full-text syntax."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
