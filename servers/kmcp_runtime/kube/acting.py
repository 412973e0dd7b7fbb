"""As whom a server calls the API server: itself, the caller whom it impersonates, or the caller's own token.

Names that begin with `system:` are the cluster's own. Only the cluster's own word for them counts (TokenReview), and
only towards the cluster that gave it; nobody is acted as in the group `system:masters`, whose members no rule binds.
"""

import re
from collections.abc import Iterable, Sequence

from kmcp_runtime import redaction
from kmcp_runtime.errors import ToolFailure, denied
from kmcp_runtime.identities import Caller, Identity
from kmcp_runtime.kube import config, credentials
from kmcp_runtime.kube.credentials import Credentials
from kmcp_runtime.kube.settings import ClusterSettings

_RESERVED = "system:"
_UNBOUND = "system:masters"
_OF_ONE_TOKEN = ("authentication.kubernetes.io/credential-id",)
"""Of the extra fields: what names a token rather than its owner, so that a renewed token is still the same identity."""
_LONGEST_TOKEN = 16 * 1024
_LARGEST = 32 * 1024
"""Characters of an identity. A server of Go takes no more than 1 MiB of headers."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""RFC 6750: the characters of a bearer token, so no line break either."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def identity_of(caller: Caller, settings: ClusterSettings) -> Identity | None:
    """As whom this caller's calls reach the API server; None as the server itself.

    Errors: `denied` for a caller whom nobody confirmed, without a token, or whom no server may act as.
    """
    # Over stdio the caller has started this process: its account is his own.
    if settings.act_as == "server" or caller.proof == "local":
        return None
    if settings.act_as == "passthrough":
        return Identity("", bearer=_bearer(caller, settings.act_as_header))
    return _impersonated(caller, settings.act_as_prefix)


def source(identity: Identity) -> credentials.Source:
    """Loads what a connection for this identity needs."""

    async def load(contexts: config.Contexts, context: config.ContextInfo) -> Credentials:
        if identity.bearer:
            return await credentials.load_bearing(contexts, context, identity.bearer)
        return await credentials.load_impersonating(contexts, context, identity)

    return load


def check_cluster(identity: Identity, context: config.ContextInfo) -> None:
    """Refuse an identity of another cluster: there, the same name may be somebody else's."""
    if identity.cluster and identity.cluster != context.server:
        raise denied(
            f"{identity.user} is an account of {identity.cluster}, so this server cannot act as it in the cluster of "
            f"context {context.name!r} ({context.server})",
            "choose a context of its own cluster",
        )


def _bearer(caller: Caller, header: str) -> str:
    found = [value.strip() for value in caller.header(header)]
    if len(found) > 1:
        raise denied(f"the request has more than one {header} header", "send one token")
    scheme, _, rest = found[0].partition(" ") if found else ("", "", "")
    token = rest.strip() if scheme.lower() == "bearer" else found[0] if found and header != "Authorization" else ""
    if not token:
        raise denied(
            "this server passes the caller's token on to the API server (KMCP_ACT_AS=passthrough), and this request "
            "has none",
            f"send a token of the cluster as `{header}: Bearer …`",
        )
    if len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise denied(f"what the header {header} holds is not a bearer token", "send a token of the cluster")
    redaction.withhold(token)
    return token


def _impersonated(caller: Caller, prefix: str) -> Identity:
    if caller.proof == "none":
        raise denied(
            "this server acts as its callers (KMCP_ACT_AS=impersonate), and nothing says who this one is",
            "send a token that the server reviews: see --token-review, --jwt-issuer and --auth-tokens-file",
        )
    if caller.proof == "cluster":
        found = _of_cluster(caller)
    else:
        # An issuer and a file may name anybody; what belongs to the cluster is not theirs to give.
        groups = tuple(prefix + group for group in caller.groups)
        found = Identity(prefix + caller.name, groups=tuple(each for each in groups if not each.startswith(_RESERVED)))
        if found.user.startswith(_RESERVED):
            raise _refused(found.user, f"names that begin with {_RESERVED} are those of a cluster")
    _check(found)
    return found


def _of_cluster(caller: Caller) -> Identity:
    if _UNBOUND in caller.groups:
        raise _refused(caller.name, f"it belongs to the group {_UNBOUND}, which no rule of the cluster binds")
    extra = tuple(
        (key, tuple(values)) for key, values in sorted(caller.extra.items()) if key.lower() not in _OF_ONE_TOKEN
    )
    own = any(name.startswith(_RESERVED) for name in (caller.name, *caller.groups) if name != "system:authenticated")
    return Identity(caller.name, caller.uid, caller.groups, extra, caller.cluster if own else "")


def _check(identity: Identity) -> None:
    """Refuse what a header cannot carry as it is: another name would arrive, or none."""
    uid = [identity.uid] if identity.uid else []
    texts: Sequence[str] = [identity.user, *uid, *identity.groups, *_texts(identity.extra)]
    if sum(map(len, texts)) > _LARGEST:
        raise _refused(identity.user[:80], f"its name, groups and extra fields have more than {_LARGEST >> 10} KiB")
    for text in texts:
        if not text or text != text.strip() or _UNPRINTABLE.search(text):
            raise _refused(
                identity.user[:80],
                f"{text[:80]!r} is empty, or begins or ends with a blank, or holds control characters",
            )


def _texts(extra: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    return [text for key, values in extra for text in (key, *values)]


def _refused(who: str, why: str) -> ToolFailure:
    return denied(f"this server does not act as {who!r}: {why}", "call as another user")
