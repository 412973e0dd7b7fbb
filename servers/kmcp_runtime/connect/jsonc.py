"""Changing a JSON file that people write: comments, trailing commas and layout stay.

Only what is asked for is replaced or added. `read` gives the content as Python sees it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kmcp_runtime import json_text

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'  # by whole stretches: long texts are many
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMAS = re.compile(rf"{_STRING}|,(?=\s*[}}\]])")
_SPACE = re.compile(r"\s*")
_REST_OF_LINE = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/[ \t]*)?(?=\n)")
_DECODER = json.JSONDecoder()


class NotJsonError(Exception):
    """Says what is wrong and in which line."""


def read(text: str) -> Any:
    """The content. Errors: NotJsonError."""
    try:
        return json_text.read(_plain(text))
    except json_text.TooDeepError as error:
        raise NotJsonError(str(error)) from None
    except json.JSONDecodeError as error:
        raise NotJsonError(f"line {error.lineno}: {error.msg}") from None


def holds_nothing(text: str) -> bool:
    """Whether there are only comments, or not even these."""
    return not _commented(text).strip()


def with_member(text: str, path: Sequence[str], value: Any) -> str:
    """The text with `value` at this path of its object; objects on the way are made. Errors: NotJsonError."""
    content = read(text)
    if not isinstance(content, dict):
        raise NotJsonError("line 1: an object is expected, {…}")
    return _set(text, _plain(text).index("{"), list(path), value, 0)


def with_items(text: str, key: str, items: Sequence[Any]) -> str:
    """The text with these further items in the list at `key` of its object, which is made where it is absent."""
    found = read(text).get(key)
    if not isinstance(found, list):
        return with_member(text, [key], list(items)) if items else text
    for item in items:
        plain = _plain(text)
        start = next(at for name, at, _ in _members(plain, plain.index("{")) if name == key)
        text = _append(text, start, [end for _, end in _elements(plain, start)], _dump(item, 2), 1)
    return text


def _set(text: str, start: int, path: list[str], value: Any, depth: int) -> str:
    plain = _plain(text)
    members = list(_members(plain, start))
    # A name may be there twice, and readers take the last.
    here = next((found for found in reversed(members) if found[0] == path[0]), None)
    if here is None:
        for name in reversed(path[1:]):
            value = {name: value}
        piece = f"{json.dumps(path[0], ensure_ascii=False)}: {_dump(value, depth + 1)}"
        return _append(text, start, [end for _, _, end in members], piece, depth)
    _, begin, end = here
    if len(path) == 1:
        return text[:begin] + _dump(value, depth + 1) + text[end:]
    if plain[begin] != "{":
        line = text.count("\n", 0, begin) + 1
        raise NotJsonError(f"line {line}: {path[0]} is not an object, {{…}}")
    return _set(text, begin, path[1:], value, depth + 1)


def _append(text: str, start: int, ends: list[int], piece: str, depth: int) -> str:
    """Behind the last element of the object or list that begins at `start`."""
    inner, outer = "  " * (depth + 1), "  " * depth
    plain = _plain(text)
    if not ends:
        close = _SPACE.match(plain, start + 1).end()  # type: ignore[union-attr]  # it matches nothing, too
        before = text[:close].rstrip(" \t")
        lead = "" if before.endswith("\n") else "\n"
        return f"{before}{lead}{inner}{piece}\n{outer}{text[close:]}"
    last = ends[-1]
    comma = _commented(text).find(",", last, _SPACE.match(plain, last).end() + 1)  # type: ignore[union-attr]
    text, last = (text, comma + 1) if comma >= 0 else (f"{text[:last]},{text[last:]}", last + 1)
    rest = _REST_OF_LINE.match(text, last)
    trailing = "," if comma >= 0 else ""
    if rest:  # what is noted beside the last element stays beside it
        return f"{text[: rest.end()]}\n{inner}{piece}{trailing}{text[rest.end() :]}"
    return f"{text[:last]}\n{inner}{piece}{trailing}\n{outer}{text[last:].lstrip(' ')}"


def _members(plain: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Name, begin and end of the value of each member of the object at `start`."""
    for at in _each(plain, start, "}"):
        name, colon = _DECODER.raw_decode(plain, at)
        begin = _skip(plain, _skip(plain, colon) + 1)
        _, end = _DECODER.raw_decode(plain, begin)
        yield name, begin, end


def _elements(plain: str, start: int) -> Iterator[tuple[int, int]]:
    for at in _each(plain, start, "]"):
        yield at, _DECODER.raw_decode(plain, at)[1]


def _each(plain: str, start: int, close: str) -> Iterator[int]:
    """Where each element begins."""
    at = _skip(plain, start + 1)
    while plain[at] != close:
        yield at
        if close == "}":
            _, colon = _DECODER.raw_decode(plain, at)
            at = _skip(plain, _skip(plain, colon) + 1)
        at = _skip(plain, _DECODER.raw_decode(plain, at)[1])
        at = _skip(plain, at + 1) if plain[at] == "," else at


def _skip(plain: str, at: int) -> int:
    found = _SPACE.match(plain, at)
    assert found is not None
    return found.end()


def _commented(text: str) -> str:
    """With blanks in place of comments: the same length, and the same lines."""
    return _COMMENTS.sub(_blank(lambda found: found.startswith("/")), text.replace("\ufeff", " "))


def _plain(text: str) -> str:
    """With blanks in place of trailing commas, too: strict JSON."""
    return _COMMAS.sub(_blank(lambda found: found == ","), _commented(text))


def _blank(unwanted: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    return lambda found: re.sub(r"[^\n]", " ", found[0]) if unwanted(found[0]) else found[0]


def _dump(value: Any, depth: int) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n" + "  " * depth)
