"""The register of what this process knows to be secret, and the search for all of it in one pass.

Values of Secret objects are entered when they are read, the process's own credentials when it starts. Each is looked
for as it is, in base64, URL-encoded and JSON-escaped. A value that is short or common cannot be found safely in a
text (`admin` is a user, too); those are hidden at their own place alone.
"""

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import ahocorasick_rs

from kmcp_runtime.redaction.marks import HIDDEN, mark
from kmcp_runtime.redaction.sent import was_sent
from kmcp_runtime.redaction.words import words

SHORTEST = 8
_LONGEST_WORD = 16
"""Letters of one case that are fewer may be a word; more are several words, which stand together nowhere else."""
MOST = 20_000
"""Values held; the one that was seen longest ago goes first."""
_BATCH = 2_000
"""Values of one search: to make it anew for each further value takes some hundredths of a second."""
_HEAD = 128
"""Characters of a long form that the automaton looks for, since it grows with them; the rest is compared."""
LONGEST = 16_384
"""A longer value is known by its first part: what follows is hidden by the shape it has (a key, a certificate)."""
_COMMON = words(
    "username password postgres administrator localhost kubernetes prometheus grafana production development staging "
    "database default true false enabled disabled http https service application credentials"
)


class _Search:
    """A search for many forms of values at once."""

    def __init__(self, forms: set[str]) -> None:
        short = [form for form in forms if len(form) <= _HEAD]
        self._long: dict[str, list[str]] = {}
        for form in forms.difference(short):
            self._long.setdefault(form[:_HEAD], []).append(form)
        self._whole = (
            ahocorasick_rs.AhoCorasick(short, matchkind=ahocorasick_rs.MATCHKIND_LEFTMOST_LONGEST) if short else None
        )
        # All matches, also those that overlap: a head may begin within another one that is not followed by the rest.
        self._heads = ahocorasick_rs.AhoCorasick(list(self._long)) if self._long else None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where values stand."""
        if self._whole is not None:
            yield from ((start, stop) for _, start, stop in self._whole.find_matches_as_indexes(text))
        if self._heads is None:
            return
        for _, start, stop in self._heads.find_matches_as_indexes(text, overlapping=True):
            found = [len(form) for form in self._long[text[start:stop]] if text.startswith(form, start)]
            if found:
                yield start, start + max(found)


class Register:
    """Known values, and the searches for them: one for each batch, so that a new value makes little work."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._kept: set[str] = set()
        self._sealed: list[_Search] = []
        """Of whole batches. What was dropped from the values is still found by them, which does no harm."""
        self.revision = 0
        """Rises with each new value."""
        self._recent = 0
        self._forms: set[str] = set()
        """Of the recent values, those that are not a whole batch yet."""
        self._newest: _Search | None = None
        """Of the recent values; None when it must be made."""

    def learn(self, value: str) -> None:
        """Enter a value, as it is."""
        value = value.strip()[:LONGEST]
        if not is_findable(value) or value in self._kept:
            return
        with self._lock:
            if value in self._values:
                self._values.move_to_end(value)
                return
            self._values[value] = None
            if len(self._values) > MOST:
                self._values.popitem(last=False)
            self._enter(value)
            if len(self._sealed) > 2 * MOST // _BATCH:
                self._begin_anew()

    def keep(self, words: Iterable[str]) -> None:
        """Words that answers have in fixed places: as a Secret's value they are hidden at their own place alone."""
        with self._lock:
            self._kept.update(words)
            if self._kept & self._values.keys():
                for word in self._kept:
                    self._values.pop(word, None)
                self._begin_anew()

    def learn_encoded(self, value: str) -> None:
        """Enter a value of a Secret's `data`: base64 of text, or of bytes."""
        self.learn(value)
        try:
            plain = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return
        self.learn(plain)
        for line in plain.splitlines():
            # A file of settings or keys: its lines come back one by one, in logs and errors.
            # The line that begins a key or a certificate is the same in all of them, the public ones too.
            if len(line) >= 2 * SHORTEST and "\n" in plain and not line.startswith("-----"):
                self.learn(line)

    def hide(self, text: str, place: str = "") -> str:
        """The text without any known value that the caller did not send himself.

        The marks are those that the values have as secrets of that place.
        """
        if len(text) < SHORTEST:
            return text
        found = sorted(span for search in self._searches() for span in search.spans(text))
        parts: list[str] = []
        end = 0
        for start, stop in _joined(span for span in found if not was_sent(text[slice(*span)])):
            parts += (text[end:start], mark(place, text[start:stop]))
            end = stop
        return "".join([*parts, text[end:]]) if parts else text

    def holds_any(self, text: str) -> bool:
        return any(True for search in self._searches() for _ in search.spans(text))

    def forget(self) -> None:
        """Empty the register; for the tests of one process."""
        with self._lock:
            self._values.clear()
            self._begin_anew()

    def _enter(self, value: str) -> None:
        self.revision += 1
        self._recent += 1
        self._forms |= _forms(value)
        self._newest = None
        if self._recent >= _BATCH:
            self._sealed = [*self._sealed, _Search(self._forms)]
            self._recent, self._forms = 0, set()

    def _begin_anew(self) -> None:
        self._sealed, self._recent, self._forms, self._newest = [], 0, set(), None
        for value in self._values:
            self._enter(value)

    def _searches(self) -> list[_Search]:
        # As lists that nobody changes: another thread may learn meanwhile.
        with self._lock:
            if self._newest is None and self._forms:
                self._newest = _Search(self._forms)
            return [*self._sealed, self._newest] if self._newest else self._sealed


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted spans, with those that overlap made one."""
    begin = end = -1
    for start, stop in spans:
        if start >= end:
            if end > begin:
                yield begin, end
            begin = start
        end = max(end, stop)
    if end > begin:
        yield begin, end


def is_findable(value: str) -> bool:
    """Whether a text that holds this value can be said to hold the secret, and not a word that looks the same."""
    if len(value) < SHORTEST or value.lower() in _COMMON or value == HIDDEN:
        return False
    # A plain word may be a Secret's value, and is a state, a field or a kind everywhere else (`certificate`).
    return not (
        value.isalpha() and len(value) < _LONGEST_WORD and (value.islower() or value.isupper() or value.istitle())
    )


def _forms(value: str) -> set[str]:
    """As it is, JSON-escaped, URL-encoded, and base64 at each of the three offsets that a longer text can put it at."""
    raw = value.encode(errors="surrogatepass")
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], quote(value, safe="")}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        # The first and last characters also hold bits of the neighbours.
        part = encoded[(0, 2, 3)[offset] :]
        part = part[:-1] if (offset + len(raw)) % 3 else part
        if len(part) >= SHORTEST:
            forms.add(part)
    return {form for form in forms if len(form) >= SHORTEST}


REGISTER = Register()
