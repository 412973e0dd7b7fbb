"""The documents of a manifest as kubectl takes them apart: YAML between lines of `---`, and JSON values in a row."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from kmcp_runtime import json_text, yaml_text

_SEPARATOR = re.compile(r"^---[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = "\ufeff"
"""Byte order mark: an editor may have put it before each of the files that were joined."""
_MOST_SIGNS = 2 * yaml_text.MOST_NODES
_WHOLE_FLOATS = 1e21
"""Go writes a whole number below it without an exponent."""


def documents(text: str) -> list[tuple[int, Any]]:
    """Every document with the line it starts at, counted from 1. Errors: `yaml_text.YamlError`."""
    found: list[tuple[int, Any]] = []
    rest: list[str] = []
    line = 1
    for piece in _pieces(text):
        values = json_values(piece)
        if values is None:
            rest.append(piece)
        else:
            found += [(line + piece.count("\n", 0, offset), value) for offset, value in values]
            # Blank lines in its place: those of the others stay where they are.
            rest.append("\n" * piece.count("\n"))
        line += piece.count("\n")
    found += ((start, content) for start, content in yaml_text.documents("".join(rest)) if content is not None)
    return sorted(found, key=lambda each: each[0])


def json_values(text: str) -> list[tuple[int, Any]] | None:
    """The JSON values of a text with their offsets; None where it is not JSON, or JSON that YAML's reader refuses."""
    offset = _skip_blanks(text, 0)
    if text[offset : offset + 1] not in ("{", "["):
        return None
    if json_text.holds_more(text.encode(errors="surrogatepass"), _MOST_SIGNS):
        raise yaml_text.TooLarge(problem=f"it has more than {yaml_text.MOST_NODES:,} values")
    values = []
    try:
        while offset < len(text):
            _, end = _DECODER.raw_decode(text, offset)
            json_text.read(text[offset:end])  # for its depth
            values.append((offset, _read(text[offset:end])))
            offset = _skip_blanks(text, end)
    except (ValueError, RecursionError):
        return None
    return values


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that begin with a separator, each without a byte order mark before its content."""
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    for start, end in itertools.pairwise(starts):
        piece = text[start:end]
        match = _SEPARATOR.match(piece)
        separator = piece[: match.end()] if match else ""
        body = piece[len(separator) :]
        blanks = body[: len(body) - len(body.lstrip(f" \t\r\n{_MARK}"))]
        rest = body[len(blanks) :]
        values = blanks.replace(_MARK, "") + rest
        if separator and json_values(values) is None:
            yield separator + values
        elif separator:
            yield separator
            yield values
        else:
            yield values


def _read(text: str) -> Any:
    if _SURROGATE.search(found := json.dumps(_DECODER.decode(text), ensure_ascii=False)):
        return json.loads(_SURROGATE.sub("\ufffd", found))  # half of a pair, as Go reads it
    return json.loads(found)


def _skip_blanks(text: str, offset: int) -> int:
    while offset < len(text) and text[offset] in " \t\r\n":
        offset += 1
    return offset


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _number(text: str) -> int | float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise yaml_text.YamlError("a number is too large")
    return int(value) if value.is_integer() and abs(value) < _WHOLE_FLOATS else value


def _integer(text: str) -> int | float:
    value = int(text)
    # Beyond 64 bits Go reads a float.
    return value if -(2**63) <= value < 2**63 else _number(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not a number that JSON has")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_number, parse_int=_integer, parse_constant=_refuse)
