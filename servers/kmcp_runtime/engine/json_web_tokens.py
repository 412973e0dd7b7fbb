"""JSON Web Tokens of one issuer: signed by its keys, for this audience, with an end, and not before their time.

What their caller may is in the claim `scope` (or `scp`): the words of a token file. Other words of it are the issuer's
own and say nothing here; a claim without any of ours grants nothing. A token without the claim gets what
`KMCP_JWT_SCOPES` says.
"""

import base64
import binascii
import json
import logging
from typing import Any

from fastmcp.server.auth import JWTVerifier, TokenVerifier
from fastmcp.server.auth.auth import AccessToken
from joserfc.errors import ClaimError, JoseError
from joserfc.jwt import JWTClaimsRegistry

from kmcp_runtime.audit.refusals import Reason, because
from kmcp_runtime.engine.grants import NOTHING, Grant, GrantedToken, is_scope

log = logging.getLogger("kmcp.auth")
_ALGORITHMS = frozenset(
    {*(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519"}
)
_CLOCK_SKEW_SECONDS = 10
_MOST_TOLD = 100
_REASONS: dict[str, Reason] = {
    "iss": "wrong_issuer",
    "aud": "wrong_audience",
    "exp": "expired",
    "nbf": "expired",
    "iat": "expired",
}


class IssuerVerifier(TokenVerifier):
    """Takes tokens signed by any asymmetric algorithm; the reason of each refusal is logged, the token never."""

    def __init__(self, issuer: str, audience: str, jwks_url: str, default: Grant) -> None:
        """`default` is what a token without scopes grants."""
        super().__init__()
        self._default = default
        self._told: set[str] = set()
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._verifiers: dict[str, JWTVerifier] = {}
        self._claims = JWTClaimsRegistry(
            leeway=_CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    async def verify_token(self, token: str) -> AccessToken | None:
        header, claims = read_part(token, 0), read_part(token, 1)
        if header is None or claims is None:
            return None  # Not a JSON Web Token: another verifier may know it.
        fault = self._fault(claims)
        algorithm = header.get("alg")
        # A list or an object, which anybody may write there, is found in no set.
        if fault is None and not (isinstance(algorithm, str) and algorithm in _ALGORITHMS):
            because("bad_signature")
            fault = f"it is signed by {str(algorithm)[:16]!r}, which is not an accepted algorithm"
        found = await self._verifier(str(algorithm)).verify_token(token) if fault is None else None
        if found is None:
            if fault is None:
                because("bad_signature")
            log.warning("a JSON Web Token was refused: %s", fault or "no key of the issuer confirms its signature")
            return None
        granted = {**found.model_dump(), "scopes": _scopes(claims) or []}
        return GrantedToken(**granted, grant=self._grant(_scopes(claims)), proof="issuer")

    def _grant(self, scopes: list[str] | None) -> Grant:
        if scopes is None:
            return self._default
        foreign = {word for word in scopes if not is_scope(word)}
        new = foreign - self._told
        if new and len(self._told) < _MOST_TOLD:
            # Once for each: the issuer's own words come with every request.
            self._told |= new
            shown = ", ".join(repr(word[:40]) for word in sorted(new)[:10])
            log.warning("scopes of JSON Web Tokens that say nothing here: %s", shown)
        known = [word for word in scopes if word not in foreign]
        return Grant.of(known) if known else NOTHING

    def _fault(self, claims: dict[str, Any]) -> str | None:
        try:
            self._claims.validate(claims)
        except JoseError as error:
            because(_REASONS.get(error.claim, "bad_claims") if isinstance(error, ClaimError) else "bad_claims")
            return error.description or str(error)
        try:
            _scopes(claims)
            # A group that is not understood would be one that no rule forbids anything.
            _texts(claims.get("groups") or [], "groups")
        except ValueError as error:
            because("bad_claims")
            return str(error)
        return None

    def _verifier(self, algorithm: str) -> JWTVerifier:
        # fastmcp's verifier takes one algorithm; which of them is safe to leave to the token, as all are asymmetric
        # and a key fits one type only (RFC 8725 section 3.1).
        if algorithm not in self._verifiers:
            self._verifiers[algorithm] = JWTVerifier(
                jwks_uri=self._jwks_url, issuer=self._issuer, audience=self._audience, algorithm=algorithm
            )
        return self._verifiers[algorithm]


def _scopes(claims: dict[str, Any]) -> list[str] | None:
    """The words of the claim `scope`, else of `scp`; None when there is neither. Errors: ValueError for no words."""
    name = next((name for name in ("scope", "scp") if name in claims), None)
    if name is None:
        return None
    found = claims[name]
    return _texts(found.split() if isinstance(found, str) else found, name)


def _texts(value: Any, name: str) -> list[str]:
    """A text, or the texts of a list. Errors: ValueError for what is neither."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"its claim {name!r} is neither a text nor a list of texts")
    return texts


def read_part(token: str, number: int) -> dict[str, Any] | None:
    """The header (0) or the claims (1), before anything confirms them."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        part = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return part if isinstance(part, dict) else None
