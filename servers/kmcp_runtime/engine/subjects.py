"""What the users and groups of a cluster may: a list of subjects, of which the first that fits decides."""

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from kmcp_runtime.engine.grants import NOTHING, Grant, unknown_scope
from kmcp_runtime.settings import SettingsError

_GROUP = "group:"


@dataclass(frozen=True)
class _Entry:
    name: str
    is_group: bool
    grant: Grant

    def fits(self, user: str, groups: Collection[str]) -> bool:
        return any(fnmatchcase(each, self.name) for each in (groups if self.is_group else (user,)))


class Subjects:
    """`user=scope …; group:name=scope …`, with the scopes of a token file."""

    def __init__(self, text: str, setting: str) -> None:
        """Errors: `SettingsError`, naming `setting` and the entry that cannot be used."""
        self._entries = [_entry(part.strip(), setting) for part in text.split(";") if part.strip()]
        if not self._entries:
            raise SettingsError(f"{setting} names no subject, so nobody could call; write `*=read`")

    def grant(self, user: str, groups: Collection[str]) -> Grant:
        """Nothing for whom no entry fits."""
        return next((entry.grant for entry in self._entries if entry.fits(user, groups)), NOTHING)


def _entry(text: str, setting: str) -> _Entry:
    subject, equals, scopes = text.rpartition("=")
    words = scopes.split()
    if not equals or not words or not subject.strip():
        raise SettingsError(f"{setting}: {text[:80]!r} is no `subject=scope …`")
    if wrong := unknown_scope(words):
        raise SettingsError(f"{setting}: {wrong}")
    name = subject.strip()
    if "[" in name or "?" in name:
        raise SettingsError(f"{setting}: {name[:80]!r}: only * stands for other text")
    return _Entry(name.removeprefix(_GROUP), name.startswith(_GROUP), Grant.of(words))
