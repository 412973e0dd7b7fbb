"""What a caller may: effects and servers, as the words after a name in a token file or the scopes of a JWT say."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache

from fastmcp.server.auth.auth import AccessToken
from fastmcp.server.dependencies import get_access_token

from kmcp_runtime import distributions
from kmcp_runtime.declaration import Effect, ToolSpec
from kmcp_runtime.engine import address
from kmcp_runtime.engine.address import Address
from kmcp_runtime.errors import ToolFailure, denied
from kmcp_runtime.identities import Proof

_EFFECTS = {
    "read": frozenset({Effect.READ}),
    "write": frozenset({Effect.READ, Effect.WRITE}),
    "destroy": frozenset(Effect),
    "list": frozenset[Effect](),
}
SCOPES = "scopes"
"""Named as the rule where no policy decides."""


@dataclass(frozen=True)
class Grant:
    """Effects of calls that are allowed, and the servers whose tools may be called; None for all of them.

    Who may call nothing still sees every tool, unless `lists` is false.
    """

    effects: frozenset[Effect] = frozenset(Effect)
    servers: frozenset[str] | None = None
    lists: bool = True

    @classmethod
    def of(cls, scopes: Collection[str]) -> "Grant":
        """The words joined: without a word for effects all are allowed, without a server's name every server is."""
        named = [_EFFECTS[word] for word in scopes if word in _EFFECTS]
        servers = frozenset(scopes) - frozenset(_EFFECTS)
        return cls(frozenset[Effect]().union(*named) if named else frozenset(Effect), servers or None)

    def narrowed(self, server: str, declared: ToolSpec) -> ToolSpec | None:
        """The tool as this caller has it: itself, its reading form, or none of it."""
        if self.servers is not None and server not in self.servers:
            return None
        if self.effects == {Effect.READ}:
            return declared.read_only()
        if not self.effects:
            return declared if self.lists else None
        possible = {declared.effect, *(declared.by.effects.values() if declared.by else ())}
        return declared if possible & self.effects else None

    def within(self, here: Address) -> "Grant":
        """The same where the address leaves some of it out."""
        effects = self.effects & {Effect.READ} if here.read_only else self.effects
        servers = self.servers
        if here.servers is not None:
            servers = here.servers if servers is None else servers & here.servers
        return replace(self, effects=effects, servers=servers)

    def check(self, tool: str, effect: Effect) -> None:
        """Refuse a call whose effect is not granted."""
        if effect not in self.effects:
            raise self.refusal(tool)

    def refusal(self, tool: str) -> ToolFailure:
        """The failure of a call that is not granted; the audit says so too."""
        words = [*sorted(effect.value for effect in self.effects), *sorted(self.servers or ())]
        allowed = ", ".join(words) if self.effects else "no call" if self.lists else "nothing here"
        return by_scopes(
            denied(f"this caller may not do this with {tool}: its scopes, or its address, allow {allowed}")
        )


class GrantedToken(AccessToken):
    """A token that is valid, and what its caller may."""

    grant: Grant = Grant()
    proof: Proof = "none"
    """Who confirmed it, and so what its claims are worth."""


NOTHING = Grant(frozenset(), lists=False)


def by_scopes(failure: ToolFailure) -> ToolFailure:
    """The failure, told in the audit as a refusal by the scopes."""
    failure.rule = SCOPES
    return failure


def is_scope(word: str) -> bool:
    """Whether the word is an effect or a server's name."""
    return word in _EFFECTS or word in _server_names()


def unknown_scope(scopes: Collection[str]) -> str | None:
    """What is wrong with the first word that is no scope; None when all are."""
    word = next((word for word in scopes if not is_scope(word)), None)
    names = ", ".join(sorted(_server_names()))
    return None if word is None else f"no scope {word!r}; there are {', '.join(_EFFECTS)} and the servers {names}"


@cache
def _server_names() -> frozenset[str]:
    # Installed and not only served here: several servers may share one token file, or one issuer.
    return frozenset(distributions.server_points())


def current() -> Grant:
    """What the caller of this request may; everything where neither his token nor his address limits it."""
    token = get_access_token()
    grant = token.grant if isinstance(token, GrantedToken) else Grant()
    here = address.current()
    return grant if here is address.NOTHING else grant.within(here)
