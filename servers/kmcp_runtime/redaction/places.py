"""Where the walk over a structure is, and the place that the mark of a value there is made of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

SECRET_KINDS = frozenset(("Secret", "SecretList"))


class At(NamedTuple):
    """Where the walk is."""

    place: str = ""
    """The object and the path in it; empty outside of an object, where nothing is compared."""
    secret: bool = False
    """Inside an object of kind Secret, or a list of them."""
    listed: str = ""
    """The kind of the items of a list, which may leave theirs out."""
    contained: bool = False
    """Below a key such as `secrets:`, where every value is one."""
    references: bool = False
    """Inside an object that names secrets and holds none (ExternalSecret, SealedSecret)."""
    foreign: bool = False
    """What somebody wrote, not what a backend holds (a text, a rendered chart): it may claim to be any object, so the
    marks in it say nothing about the value."""
    unknown: bool = False
    """Nothing that is known to be secret stands anywhere in what is walked: it need not be looked for again."""
    deep: int = 0
    plain: frozenset[str] = frozenset()
    """Texts that are known to hold nothing to hide or to clean."""

    def below(self, key: Any) -> "At":
        place = f"{self.place}/{key}" if self.place else ""
        # Much of the time of a walk is spent here, and `_replace` takes four times as long.
        return At(
            place,
            self.secret,
            self.listed,
            self.contained,
            self.references,
            self.foreign,
            self.unknown,
            self.deep + 1,
            self.plain,
        )


def place_of(kind: str, metadata: Mapping[str, Any], at: At) -> str:
    if kind in SECRET_KINDS:
        # By the uid, which a caller cannot choose: a Secret of the same name that he rehearses is not compared.
        uid = metadata.get("uid")
        return f"{at.place}/Secret/{uid}" if uid and not at.foreign else ""
    # By the name: a rehearsed creation has no uid yet, and a diff compares it with what will be.
    place = f"{kind}/{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    return f"{at.place}/{place}" if at.place else place
