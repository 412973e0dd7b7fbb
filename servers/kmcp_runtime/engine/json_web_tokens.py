"""JSON Web Tokens of one issuer: signed by its keys, for this audience, with an end, and not before their time."""

import base64
import binascii
import json
import logging
from typing import Any

from fastmcp.server.auth import JWTVerifier, TokenVerifier
from fastmcp.server.auth.auth import AccessToken
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

log = logging.getLogger("kmcp.auth")
_ALGORITHMS = frozenset(
    {*(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)), "EdDSA", "Ed25519"}
)
_CLOCK_SKEW_SECONDS = 10


class IssuerVerifier(TokenVerifier):
    """Takes tokens signed by any asymmetric algorithm; the reason of each refusal is logged, the token never."""

    def __init__(self, issuer: str, audience: str, jwks_url: str) -> None:
        super().__init__()
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
        header, claims = _part(token, 0), _part(token, 1)
        if header is None or claims is None:
            return None  # Not a JSON Web Token: another verifier may know it.
        fault = self._fault(claims)
        algorithm = header.get("alg")
        if fault is None and algorithm not in _ALGORITHMS:
            fault = f"it is signed by {str(algorithm)[:16]!r}, which is not an accepted algorithm"
        found = await self._verifier(str(algorithm)).verify_token(token) if fault is None else None
        if found is None:
            log.warning("a JSON Web Token was refused: %s", fault or "no key of the issuer confirms its signature")
        return found

    def _fault(self, claims: dict[str, Any]) -> str | None:
        try:
            self._claims.validate(claims)
        except JoseError as error:
            return error.description or str(error)
        return None

    def _verifier(self, algorithm: str) -> JWTVerifier:
        # fastmcp's verifier takes one algorithm; which of them is safe to leave to the token, as all are asymmetric
        # and a key fits one type only (RFC 8725 section 3.1).
        if algorithm not in self._verifiers:
            self._verifiers[algorithm] = JWTVerifier(
                jwks_uri=self._jwks_url, issuer=self._issuer, audience=self._audience, algorithm=algorithm
            )
        return self._verifiers[algorithm]


def _part(token: str, number: int) -> dict[str, Any] | None:
    """The header (0) or the claims (1), before anything confirms them."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        part = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return part if isinstance(part, dict) else None
