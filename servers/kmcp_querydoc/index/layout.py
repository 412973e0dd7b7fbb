"""The tables of an index, and the search tables that a finished build derives from them."""

import sqlite3

from kmcp_querydoc.index.stemming import TOKENIZER

FORMAT = "1"
"""Of the tables below; an index of another format is built again."""
APPLICATION = 0x4B4D4350
"""Marks the file as an index of this suite."""
PER_PRODUCT = 1 << 32
"""Chunks of a product have numbers of their own range, so that a search in one product is a search in a range."""

TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE products (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, aliases TEXT NOT NULL, source TEXT NOT NULL,
  revision TEXT NOT NULL, built TEXT NOT NULL, next_chunk INTEGER NOT NULL, UNIQUE (name, version));
CREATE TABLE pages (
  id INTEGER PRIMARY KEY, product INTEGER NOT NULL REFERENCES products ON DELETE CASCADE, path TEXT NOT NULL,
  url TEXT NOT NULL, title TEXT NOT NULL, digest TEXT NOT NULL, stamp TEXT NOT NULL, code INTEGER NOT NULL,
  chunks INTEGER NOT NULL, UNIQUE (product, path));
CREATE INDEX pages_by_url ON pages (url);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY, page INTEGER NOT NULL REFERENCES pages ON DELETE CASCADE, position INTEGER NOT NULL,
  headings TEXT NOT NULL, anchor TEXT NOT NULL, first_line INTEGER NOT NULL, content TEXT NOT NULL);
CREATE INDEX chunks_by_page ON chunks (page, position);
"""
SEARCH = {
    "words": "VIRTUAL TABLE words USING fts5 (title, headings, body, content='', tokenize='{tokenizer}')",
    "code_words": "VIRTUAL TABLE code_words USING fts5 (path, body, content='', tokenize='{tokenizer}')",
    "names": "VIRTUAL TABLE names USING fts5 (name, tokenize='trigram')",
    "stems": "TABLE stems (chunk INTEGER PRIMARY KEY, title TEXT, headings TEXT, body TEXT)",
    "frequencies": "TABLE frequencies (stem TEXT, product INTEGER, chunks INTEGER, PRIMARY KEY (stem, product))"
    " WITHOUT ROWID",
    "lengths": "TABLE lengths (title REAL, headings REAL, body REAL)",
}
"""Derived from the chunks: words of documents and of code, names to find misspelt ones by, the stems of each chunk, in
how many chunks of a product a stem is, and how many stems a chunk has on average."""
SEPARATOR = "\x1f"
"""Between the headings of a chunk."""


def create(connection: sqlite3.Connection) -> None:
    # SQLite keeps this number in the header for applications (sqlite.org/fileformat.html, offset 68).
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.executescript(TABLES)


def create_search(connection: sqlite3.Connection) -> None:
    """Empty search tables in the place of those that there are."""
    # FTS5 tables cannot be emptied reliably when they are contentless, so they are dropped and created again.
    for table in reversed(SEARCH):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for definition in SEARCH.values():
        connection.execute(f"CREATE {definition.format(tokenizer=TOKENIZER)}")
