"""Parts of a structure in which nothing could be hidden: most are so, and are seen without a walk."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import count
from typing import Any

from kmcp_runtime.redaction import names
from kmcp_runtime.redaction.cleaning import clean
from kmcp_runtime.redaction.embedded import may_begin
from kmcp_runtime.redaction.known import REGISTER, SHORTEST
from kmcp_runtime.redaction.places import At
from kmcp_runtime.redaction.texts import hide_in_text, is_plain, may_hold_secret, plain_lines

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SECURE = frozenset(("secureJsonData", "secureSettings"))
PAIRS = {
    "value": (
        "name",
        "key",
        "header",
        "variable",
        "parameter",
        "property",
        "option",
        "field",
        "setting",
        "type",
        "id",
        "label",
    ),
    "default": ("name", "variable", "key"),
    "query": ("name",),
    "new": ("field", "name"),
    "Value": ("Name", "Key", "OptionName"),
    "ParameterValue": ("ParameterKey",),
    "option_value": ("option_name",),
}
"""The field that holds a value, and those that may name it."""
PAIR_KEYS = frozenset((*PAIRS, "result", "kty"))
"""Without one of them, `hide_pair` has nothing to look at."""
TABLES = frozenset(("columns", "columnDefinitions"))
_SPECIAL = PAIR_KEYS | TABLES | {"kind"}
"""Fields that make more of a mapping than its entries."""
SHORT = 128
"""Characters of a text whose look is remembered: names of images with their digest are among them."""


def is_quiet(key: str, item: Any, at: At) -> bool:
    """Whether nothing below a key could be hidden: most parts of an object are so, and need no walk."""
    return (
        at.unknown and not at.contained and not at.secret and _says_nothing_of_fields(key) and _is_all_dull(item, 0, at)
    )


_DEEPEST_LOOK = 20


def _is_all_dull(node: Any, deep: int, at: At) -> bool:
    if deep > _DEEPEST_LOOK:
        return False
    if type(node) is list:
        # Several texts are looked at together.
        several = len(node) > 1
        return all(
            _is_all_dull(item, deep + 1, at)
            if type(item) in (dict, list)
            else type(item) in _NO_TEXT
            or (type(item) is str and not several and len(item) <= SHORT and is_plain_there(item, at))
            for item in node
        )
    if type(node) is not dict or not _SPECIAL.isdisjoint(node):
        return False
    for key, item in node.items():
        kind = type(item)
        if kind is str:
            if len(item) > SHORT or not _says_nothing(key) or not is_plain_there(item, at):
                return False
        elif kind is dict or kind is list:
            if not _says_nothing_of_fields(key) or not _is_all_dull(item, deep + 1, at):
                return False
        elif kind not in _NO_TEXT or not _says_nothing(key):
            return False
    return True


@lru_cache(maxsize=8_192)
def _says_nothing_of_fields(key: Any) -> bool:
    """The same for a key with fields below it, whose names and values it may explain."""
    plain = _says_nothing(key) and key not in SECURE and key not in ("settings", "auths")
    return plain and not names.is_container(key) and not any(names_below(key))


@lru_cache(maxsize=8_192)
def _says_nothing(key: Any) -> bool:
    """True for the key of a field whose value is looked at for itself, and which needs no look itself."""
    if not isinstance(key, str) or key in (LAST_APPLIED, "release"):
        return False
    return len(key) <= SHORT and is_plain_text(key) and not names.strength(key) and not names.holds_login(key)


_NO_TEXT = (bool, int, type(None))


def is_dull(key: Any, item: Any, at: At) -> bool:
    """Whether neither the key nor the value of an entry says anything; most say nothing, and come again and again."""
    if isinstance(item, str):
        return len(item) <= SHORT and at.unknown and _says_nothing(key) and is_plain_there(item, at)
    return type(item) in _NO_TEXT and _says_nothing(key) and not _holds_known(key, at)


def is_shown(key: Any, at: At) -> bool:
    """Whether a key can stay as it is: it is text, too, that somebody wrote, and mostly a name that comes again."""
    if not isinstance(key, str):
        return True
    return len(key) <= SHORT and is_plain_there(key, at) and not _holds_known(key, at)


def _holds_known(key: str, at: At) -> bool:
    return not at.unknown and len(key) >= SHORTEST and REGISTER.holds_any(key)


def shown_keys(node: Mapping[Any, Any], at: At) -> Mapping[Any, Any]:
    """What each key is shown as, in their order; no two alike, so that no entry takes the place of another."""
    shown: dict[Any, Any] = {}
    taken = set(node)
    for key in node:
        name = key if is_shown(key, at) else hide_in_text(key, f"{at.place}/#" if at.place else "")
        if name is not key and name != key:
            name = next(each for each in _numbered(name) if each not in taken)
            taken.add(name)
        shown[key] = name
    return shown


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} ({number})" for number in count(2))


@lru_cache(maxsize=8_192)
def names_below(key: str) -> tuple[bool, bool]:
    """Whether a key names all values below it, and whether it names one that is called `key`."""
    below = names.strength(key) == "strong" or key.lower() == "tokens"
    return below, names.strength(f"{key}_key") == "strong"


def is_plain_there(text: str, at: At) -> bool:
    """`is_plain_text`, which most texts of a large structure were found to be before the walk."""
    return text in at.plain or is_plain_text(text)


def plain_texts(node: Any) -> frozenset[str]:
    """Short texts of a structure that surely are plain, seen together."""
    short: set[str] = set()
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if type(found) is str:
            if len(found) <= SHORT:
                short.add(found)
        elif type(found) is dict:
            waiting += found.values()
        elif type(found) is list:
            waiting += found
    return frozenset(plain_lines([text for text in short if text.isprintable() and not may_begin(text)]))


@lru_cache(maxsize=16_384)
def is_plain_text(text: str) -> bool:
    """Whether a short text holds nothing to hide or to clean; names and words come again and again."""
    if may_begin(text):
        # It may hold a document, in which structure says more.
        return clean(text) == text and not may_hold_secret(text.encode(errors="surrogatepass"))
    return text.isprintable() and is_plain(text)
