"""Who calls, as somebody who checked it says, and as whom a call reaches its backend when not as the server itself.

An identity is made of what a verifier confirmed (TokenReview, an issuer, the token file) and never of a header in which
a caller names himself. What is kept for one identity (connections, kinds, cursors, approvals) is kept under its key.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Proof = Literal["cluster", "issuer", "file", "none", "local"]
"""Who confirmed a caller: the API server, an issuer of JSON Web Tokens, the token file, nobody, or his own machine."""


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request."""

    name: str
    """As the audit line has it."""
    proof: Proof
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cluster: str = ""
    """Address of the API server that confirmed him."""
    header: Callable[[str], Sequence[str]] = field(default=lambda name: (), repr=False, compare=False)
    """The values of a header of this request: his own words."""


@dataclass(frozen=True)
class Identity:
    """As whom a call reaches its backend: a user to act as, or whoever a bearer token is for."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cluster: str = ""
    """Address of the only API server that this user belongs to; empty when he may be known to several."""
    bearer: str = field(default="", repr=False)

    @cached_property
    def key(self) -> str:
        """The same for the same identity, another for any other; nothing of it can be read from the key."""
        parts = [self.user, self.uid, self.groups, self.extra, self.cluster, self.bearer]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_key: ContextVar[str] = ContextVar("kmcp_identity_of_the_call", default="")


@contextmanager
def answering(identity: Identity | None) -> Iterator[None]:
    """For everything that runs inside: as whom the call reaches its backend."""
    token = _key.set(identity.key if identity else "")
    try:
        yield
    finally:
        _key.reset(token)


def current_key() -> str:
    """The key of the identity of this call; empty where the server acts as itself."""
    return _key.get()
