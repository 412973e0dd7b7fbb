"""The register of what this process knows to be secret, and the search for all of it in one pass.

Values of Secret objects are entered when they are read, the process's own credentials when it starts. Each is looked
for as it is, in base64, URL-encoded and JSON-escaped. A value that is short or common cannot be found safely in a
text (`admin` is a user, too); those are hidden at their own place alone.
"""

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import quote

import ahocorasick_rs

from kmcp_runtime.redaction.marks import HIDDEN, mark
from kmcp_runtime.redaction.sent import was_sent
from kmcp_runtime.redaction.words import words

SHORTEST = 8
_LONGEST_WORD = 16
"""Letters of one case that are fewer may be a word; more are several words, which stand together nowhere else."""
MOST = 20_000
"""Values held; the one that was seen longest ago goes first. Twenty thousand are about 10 MB with the automaton."""
LONGEST = 16_384
"""A longer value is known by its first part: what follows is hidden by the shape it has (a key, a certificate)."""
_COMMON = words(
    "username password postgres administrator localhost kubernetes prometheus grafana production development staging "
    "database default true false enabled disabled http https service application credentials"
)


_ABSENT = object()


class Register:
    """Known values, and an automaton over all their forms that is made anew when they have changed."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, None] = OrderedDict()
        self._automaton: ahocorasick_rs.AhoCorasick | None = None
        self._stale = False
        self._lock = threading.Lock()
        self._kept: set[str] = set()

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
            self._stale = True

    def keep(self, words: Iterable[str]) -> None:
        """Words that answers have in fixed places: as a Secret's value they are hidden at their own place alone."""
        with self._lock:
            for word in words:
                self._kept.add(word)
                self._stale |= self._values.pop(word, _ABSENT) is None

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
        automaton = self._current()
        if automaton is None or len(text) < SHORTEST:
            return text
        found = automaton.find_matches_as_indexes(text)
        if not found:
            return text
        parts: list[str] = []
        end = 0
        for _, start, stop in found:
            if was_sent(text[start:stop]):
                continue
            parts += (text[end:start], mark(place, text[start:stop]))
            end = stop
        return "".join([*parts, text[end:]])

    def holds_any(self, text: str) -> bool:
        automaton = self._current()
        return automaton is not None and bool(automaton.find_matches_as_indexes(text))

    def forget(self) -> None:
        """Empty the register; for the tests of one process."""
        with self._lock:
            self._values.clear()
            self._stale = True

    def _current(self) -> ahocorasick_rs.AhoCorasick | None:
        if self._stale:
            with self._lock:
                forms = {form for value in self._values for form in _forms(value)}
                self._automaton = (
                    ahocorasick_rs.AhoCorasick(list(forms), matchkind=ahocorasick_rs.MATCHKIND_LEFTMOST_LONGEST)
                    if forms
                    else None
                )
                self._stale = False
        return self._automaton


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
