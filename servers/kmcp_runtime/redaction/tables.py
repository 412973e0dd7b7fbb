"""Secrets in tables that stand in a text (psql, mysql, kubectl, Markdown, CSV): a column is named as a field is.

A header is a line of names of which one is a credential's, or of a name and its value; the lines below it that have
as many cells are its rows. What is looked at is bounded; a table that is longer is hidden from there to its end.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kmcp_runtime.redaction import languages, shapes, values
from kmcp_runtime.redaction.names import Strength, strength
from kmcp_runtime.redaction.words import words

MOST_HEADERS = 400
"""Lines of one text that are looked at as headers."""
MOST_ROWS = 4_000
"""Rows of one text that are read cell by cell."""
LONGEST_HEADER = 2_000
"""Bytes of a line that is looked at as a header."""
_BAR = "│"
_DELIMITERS = (_BAR, "|", "\t", ",", ";")
_CELL = r"[\"']?[A-Za-z0-9_.()/#%*`\x80-\xff -]*[\"']?"
_BETWEEN = r"(?:\||\xe2\x94\x82|,|;|\t|  )"
_WORD = rf"(?:pass|pwd|secret|token|cred|key|auth|cookie|dsn|jwt|salt|otp|pin|value|pw|pat|{languages.IN_NAMES})"
_HEADER = shapes.compiled(
    rf"(?im)^(?:{_CELL}{_BETWEEN})*[\"']?[A-Za-z0-9_. *`-]*{_WORD}[A-Za-z0-9_. *`-]*[\"']?(?:{_BETWEEN}{_CELL})*\r?$"
)
_RULE = re.compile(r"[\s|+=:─-╿-]*[=─-╿-]{2,}[\s|+=:─-╿-]*")
"""A line that separates."""
_COLUMN = re.compile(r"\S+(?: \S+)*")
_QUOTED_CELL = {sign: re.compile(rf'(?:"(?:[^"]|"")*"|[^{sign}"])*') for sign in (",", ";")}
_NAMES = words("key name property variable parameter setting field option header")
_VALUES = words("value values")
_CERTAIN = re.compile(
    r"(?i)pass|pwd|(?:api|access|auth|bearer|refresh).?(?:key|token)|private.?key|(?:secret|access).?key|client.?secret"
)
"""Columns of these names hold values; a column `Secret` or `Token` often holds the name of one."""

INSERT = shapes.compiled(r"(?i)\binsert[ \t]+into[ \t]+\S{1,100}[ \t]*\(([^()\n]{1,800})\)[ \t\n]*values[ \t]*\(")
_COPY = shapes.compiled(r"(?i)\bcopy[ \t]+\S{1,100}[ \t]*\(([^()\n]{1,800})\)[ \t]+from[ \t]+stdin[^\n]{0,80};\r?\n")
_NEXT_ROW = re.compile(rb"[ \t\n]*,[ \t\n]*\(")
_SQL_VALUE = re.compile(rb"[ \t\n]*(?:N?'((?:[^']|'')*)'|[^,()']{1,200})[ \t]*([,)])")

Hide = Callable[[bytes], bytes]


@dataclass(frozen=True)
class _Header:
    delimiter: str
    """Empty when the columns are aligned."""
    starts: tuple[int, ...]
    """Where each column begins, of aligned ones."""
    columns: tuple[tuple[int, str, Strength], ...]
    """Of credentials: the number, the name and what it says."""
    pair: tuple[int, int] | None
    """Numbers of the columns of names and of their values."""
    count: int


def hide_in_tables(data: bytes, hide: Hide) -> bytes:
    """The text with the cells replaced that hold secrets."""
    out: list[bytes] = []
    position = start = rows = 0
    for _ in range(MOST_HEADERS):
        match = _HEADER.search(data, start)
        if match is None:
            break
        begin, end = match.span()
        start = end + 1
        if end - begin > LONGEST_HEADER:
            continue
        header = _header(data[begin:end].decode(errors="replace"), _ruled(data, begin, end))
        if header is None:
            continue
        line = start
        while line < len(data):
            stop = data.find(b"\n", line)
            stop = len(data) if stop < 0 else stop
            cells = _cells(data[line:stop].decode(errors="surrogateescape"), header)
            if cells is None:
                break
            rows += 1
            if rows > MOST_ROWS:
                stop = data.find(b"\n\n", line)
                stop = len(data) if stop < 0 else stop
                return b"".join([*out, data[position:line], hide(data[line:stop]), data[stop:]])
            for first, last in _secrets(cells, header):
                out += (data[position : line + first], hide(data[line + first : line + last]))
                position = line + last
            start = line = stop + 1
    return b"".join([*out, data[position:]]) if out else data


def hide_in_inserts(data: bytes, hide: Hide) -> bytes:
    """The values of `INSERT INTO users (name, password) VALUES ('bob', '…'), (…)` that are credentials."""
    out: list[bytes] = []
    position = start = rows = 0
    while (match := INSERT.search(data, start)) is not None:
        start = match.end()
        names = [name.strip(' \t"`[]') for name in match.group(1).decode(errors="replace").split(",")]
        told = [strength(name) for name in names]
        pair = _pair_of(names)
        rows += 1
        while any(told) or pair:
            rows += 1
            if rows > MOST_ROWS:
                return b"".join([*out, data[position:start], hide(data[start:])])
            for first, last, after in list(_inserted(data, start, told, pair)):
                start = after
                if last > first:
                    out += (data[position:first], hide(data[first:last]))
                    position = last
            row = _NEXT_ROW.match(data, start)
            if row is None:
                break
            start = row.end()
    return b"".join([*out, data[position:]]) if out else data


def hide_in_copies(data: bytes, hide: Hide) -> bytes:
    """The same of `COPY users (name, password) FROM stdin;` and the lines below it, as dumps of PostgreSQL have it."""
    out: list[bytes] = []
    position = start = rows = 0
    while (match := _COPY.search(data, start)) is not None:
        start = match.end()
        told = [strength(name.strip(' \t"')) for name in match.group(1).decode(errors="replace").split(",")]
        while any(told) and start < len(data) and not data.startswith(b"\\.", start):
            stop = data.find(b"\n", start)
            stop = len(data) if stop < 0 else stop
            cells = data[start:stop].split(b"\t")
            if len(cells) != len(told):
                break
            rows += 1
            if rows > MOST_ROWS:
                return b"".join([*out, data[position:start], hide(data[start:])])
            for found, cell in zip(told, cells, strict=True):
                if found and cell != b"\\N" and not values.is_empty(cell.decode(errors="replace")):
                    out += (data[position:start], hide(cell))
                    position = start + len(cell)
                start += len(cell) + 1
    return b"".join([*out, data[position:]]) if out else data


def _pair_of(names: list[str]) -> tuple[int, int] | None:
    """Numbers of the columns of names and of their values."""
    lowered = [name.lower().removeprefix("option_") for name in names]
    named = next((number for number, name in enumerate(lowered) if name in _NAMES), None)
    valued = next((number for number, name in enumerate(lowered) if name in _VALUES), None)
    return (named, valued) if named is not None and valued is not None else None


def _inserted(
    data: bytes, start: int, told: list[Strength | None], pair: tuple[int, int] | None
) -> Iterator[tuple[int, int, int]]:
    """Where secrets stand in a row of values, and where the value after each begins."""
    named: Strength | None = None
    for number, found in enumerate(told):
        cell = _SQL_VALUE.match(data, start)
        if cell is None:
            return
        start = cell.end()
        if pair is not None and number == pair[0] and cell[1]:
            named = strength(cell[1].decode(errors="replace"))
        told_by_name = named if pair is not None and number == pair[1] else None
        hides = (found or told_by_name) and cell[1] and not values.is_empty(cell[1].decode(errors="replace"))
        first, last = cell.span(1) if hides else (start, start)
        yield first, last, start


def _ruled(data: bytes, begin: int, end: int) -> bool:
    """Whether a line that separates stands below the header."""
    below = data[end + 1 : end + 400].split(b"\n", 1)[0].decode(errors="replace")
    return _RULE.fullmatch(below) is not None


def _header(line: str, ruled: bool) -> _Header | None:
    line = line.rstrip("\r")
    delimiter = next((sign for sign in _DELIMITERS if sign in line), "")
    starts: tuple[int, ...] = ()
    if delimiter:
        # In prose a space follows the comma.
        if delimiter in ",;" and f"{delimiter} " in line:
            return None
        names = line.split(delimiter)
    elif ruled or line.upper() == line:
        aligned = list(_COLUMN.finditer(line))
        starts, names = tuple(match.start() for match in aligned), [match[0] for match in aligned]
    else:
        return None
    names = [name.strip(" \t\"'`*").replace(" ", "_") for name in names]
    if sum(map(bool, names)) < 2:
        return None
    columns = tuple((number, name, found) for number, name in enumerate(names) if (found := strength(name)))
    pair = _pair_of(names)
    return _Header(delimiter, starts, columns, pair, len(names)) if columns or pair else None


Cell = tuple[str, int]
"""What stands in it, and at which byte of its line."""


def _cells(line: str, header: _Header) -> list[Cell] | None:
    """The cells of a row, none for a line that separates; None when the line belongs to no table with this header."""
    if not line or line.isspace():
        return None
    if _RULE.fullmatch(line):
        return []
    texts = list(_split(line, header))
    if len(texts) != header.count:
        return None
    cells: list[Cell] = []
    for text, at in texts:
        stripped = text.strip(" \t\r\"'`")
        offset = at + text.index(stripped)
        cells.append((stripped, offset if line.isascii() else len(line[:offset].encode(errors="surrogateescape"))))
    return cells


def _split(line: str, header: _Header) -> Iterator[tuple[str, int]]:
    if not header.delimiter:
        for start, stop in zip(header.starts, (*header.starts[1:], len(line)), strict=True):
            if start and line[start - 1 : start].strip():
                return
            yield line[start:stop], start
        return
    at = 0
    if header.delimiter in _QUOTED_CELL and '"' in line:
        expression = _QUOTED_CELL[header.delimiter]
        while (match := expression.match(line, at)) is not None:
            yield match[0], at
            at = match.end() + 1
            if at > len(line):
                return
            if line[at - 1] != header.delimiter:
                return
        return
    for text in line.split(header.delimiter):
        yield text, at
        at += len(text) + len(header.delimiter)


def _secrets(cells: list[Cell], header: _Header) -> Iterator[tuple[int, int]]:
    """Where secrets stand in the line, from left to right."""
    if not cells:
        return
    found = {number: (name, told) for number, name, told in header.columns}
    if header.pair is not None:
        name = cells[header.pair[0]][0]
        told = strength(name)
        if told:
            found[header.pair[1]] = (name, told)
    for number in sorted(found):
        text, at = cells[number]
        if _is_secret(text, *found[number]):
            yield at, at + len(text.encode(errors="surrogateescape"))


def _is_secret(text: str, name: str, told: Strength) -> bool:
    if not text or " " in text:
        return False
    if told == "strong" and _CERTAIN.search(name):
        return values.hides_in_line(text, told, assigned=True)
    return values.is_made(text)
