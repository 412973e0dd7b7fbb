"""Who may call: bearer tokens of a file, of an issuer, of the cluster, or of several, by fastmcp's own verifiers."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from fastmcp.server.auth import AuthProvider, MultiAuth, RemoteAuthProvider, TokenVerifier
from fastmcp.server.dependencies import get_access_token, get_http_request
from pydantic import AnyHttpUrl

from kmcp_runtime.engine.grants import Grant, GrantedToken, unknown_scope
from kmcp_runtime.engine.json_web_tokens import IssuerVerifier
from kmcp_runtime.engine.token_file import FileTokenVerifier
from kmcp_runtime.identities import Caller
from kmcp_runtime.settings import RuntimeSettings, SettingsError, listed
from kmcp_runtime.urls import is_loopback


def provider(settings: RuntimeSettings) -> AuthProvider | None:
    """The configured way to authenticate; None when there is none."""
    tokens = _jwt(settings) if settings.jwt_issuer or settings.jwt_jwks_url or settings.jwt_audience else None
    verifiers: list[TokenVerifier] = []
    if settings.auth_tokens_file:
        verifiers.append(FileTokenVerifier(Path(settings.auth_tokens_file)))
    if settings.token_review:
        # Last: what another verifier knows need not go to the API server. By name, since a server of another backend
        # loads nothing of Kubernetes unless it is told to.
        review = importlib.import_module("kmcp_runtime.token_review")
        verifiers.append(review.open_reviewer(settings.token_audience, settings.token_grants))
    found = [*([tokens] if tokens else []), *verifiers]
    return MultiAuth(server=tokens, verifiers=verifiers) if len(found) > 1 else next(iter(found), None)


def check_exposure(settings: RuntimeSettings, auth: AuthProvider | None) -> None:
    """Refuse to listen beyond loopback without authentication, unless told to in so many words."""
    if auth is not None or settings.allow_unauthenticated or is_loopback(settings.host):
        return
    raise SettingsError(
        f"refusing to listen on {settings.host} without authentication: anyone who reaches it could call every tool. "
        "Set --token-review (in a cluster), --auth-tokens-file, or --jwt-issuer, --jwt-audience and --jwt-jwks-url, "
        "or set --allow-unauthenticated"
    )


def current_caller() -> Caller:
    """Whoever sent this request, by what the verifier of his token confirmed.

    His name is the token's subject, `anonymous` over HTTP without one, `local` over stdio.
    """
    try:
        header = get_http_request().headers.getlist
    except RuntimeError:
        return Caller("local", "local")
    token = get_access_token()
    if token is None:
        return Caller("anonymous", "none", header=header)
    claims = token.claims or {}
    name = str(claims.get("sub") or token.client_id)
    groups = tuple(str(group) for group in _texts(claims.get("groups")))
    if not isinstance(token, GrantedToken):
        return Caller(name, "none", groups, header=header)
    if token.proof != "cluster":  # What an issuer writes into other claims means nothing here.
        return Caller(name, token.proof, groups, header=header)
    extra = {str(key): tuple(map(str, _texts(values))) for key, values in (claims.get("extra") or {}).items()}
    return Caller(name, "cluster", groups, str(claims.get("uid") or ""), extra, str(claims.get("cluster")), header)


def _texts(claim: object) -> Sequence[object]:
    """One text, as some issuers write a list of one, or the texts of a list."""
    return claim if isinstance(claim, list) else [claim] if isinstance(claim, str) else []


def _jwt(settings: RuntimeSettings) -> RemoteAuthProvider:
    needed = ("jwt_issuer", "jwt_audience", "jwt_jwks_url", "base_url")
    missing = [name for name in needed if not getattr(settings, name)]
    if missing:
        raise SettingsError(f"JSON Web Tokens need {', '.join('--' + name.replace('_', '-') for name in missing)} too")
    scopes = listed(settings.jwt_scopes)
    if wrong := unknown_scope(scopes):
        raise SettingsError(f"--jwt-scopes / KMCP_JWT_SCOPES: {wrong}")
    verifier = IssuerVerifier(
        settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks_url, default=Grant.of(scopes)
    )
    return RemoteAuthProvider(
        token_verifier=verifier,
        authorization_servers=[AnyHttpUrl(settings.jwt_issuer)],
        base_url=settings.base_url,
    )
