"""The credentials of a context, as kubectl uses them: certificates, tokens, plugins, whom to act as, which proxy.

There is no way back to an anonymous caller: what cannot be used as it is written is refused, naming the field.
Client-go's rules where they are not obvious: credentials go over TLS only; a token, a password or a certificate keeps
the plugin from being run; the content of `tokenFile` comes before `token`.
"""

import base64
import os
import re
import ssl
import tempfile
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from kmcp_runtime import private_files, redaction, urls
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.identities import Identity
from kmcp_runtime.kube import exec_plugins, proxies, sign_in
from kmcp_runtime.kube.config import SERVICE_ACCOUNT, ContextInfo, Contexts
from kmcp_runtime.kube.kubeconfig_files import ClusterEntry, UserEntry

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may hold."""
# RFC 7230's characters of a header's name, but `%`, which stands for itself in the escaped form.
_HEADER_NAME = "!#$&'*+-.^_`|~"
_PROXIES = ("http", "https", "socks5")


# Compared by identity: `renew` asks whether these are still the credentials that were refused.
@dataclass(eq=False)
class Credentials:
    """What a connection needs. Certificates are files: TLS loads a key from nowhere else."""

    server: str
    ssl_ca_cert: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    tls_server_name: str | None = None
    proxy: str | None = None
    token: str | None = None
    token_file: Path | None = None
    """Comes before `token`, and is read again for each request: it is rotated."""
    basic: str | None = None
    """User and password, encoded."""
    acting_as: Identity | None = None
    """Whom to impersonate."""
    passed_on: bool = False
    """True when the token is the caller's: whether it is a token at all, the API server has to say first."""
    expires: datetime | None = None

    def bearer(self) -> str | None:
        """The token as it is now. Errors: `unavailable` when its file cannot be read and nothing else is there."""
        try:
            found = self.token_file.read_text().strip() if self.token_file else ""
        except (OSError, UnicodeDecodeError) as error:
            if not self.token:
                raise unavailable(f"cannot read the token file {self.token_file}: {_reason(error)}") from None
            found = ""
        token = found or self.token
        if self.token_file and not token:
            raise unavailable(f"the token file {self.token_file} is empty", "renew the token")
        if not self.passed_on:
            redaction.learn(token or "")
        return token

    def confirmed(self) -> None:
        """The API server took these credentials: a caller's token counts as a secret only now.

        What anybody may send must not push known secrets out.
        """
        if self.passed_on:
            redaction.learn(self.token or "")

    def headers(self) -> list[tuple[str, str]]:
        """The headers of a request, some of them several times."""
        token = self.bearer()
        if token and _CONTROL.search(token):
            raise unavailable(f"the token of {self.token_file or 'this context'} holds a line break")
        value = f"Bearer {token}" if token else f"Basic {self.basic}" if self.basic else None
        return [*([("Authorization", value)] if value else []), *_impersonating(self.acting_as)]

    def is_expired(self) -> bool:
        return self.expires is not None and datetime.now(UTC) >= self.expires

    def identity(self) -> tuple[Any, ...]:
        """What a pool of connections is bound to; tokens go with each request."""
        return self.cert_file, self.key_file, self.ssl_ca_cert, self.tls_server_name, self.proxy


Source = Callable[[Contexts, ContextInfo], Awaitable[Credentials]]
"""Loads a context's credentials."""


async def load(contexts: Contexts, context: ContextInfo) -> Credentials:
    """The credentials of a context. Errors: `unavailable`, naming the file and the field that cannot be used."""
    if context.auth == "in_cluster":
        return Credentials(
            context.server, ssl_ca_cert=str(SERVICE_ACCOUNT / "ca.crt"), token_file=SERVICE_ACCOUNT / "token"
        )
    cluster, user = _entries(contexts, context)
    url = urlsplit(context.server)
    found = Credentials(context.server, proxy=_proxy(cluster, url), acting_as=_acting_as(user))
    _check_user(user)
    if url.scheme == "https":
        _identify_server(cluster, found)
        await _identify_user(user, cluster, found)
        if not (found.cert_file or found.token or found.token_file or found.basic):
            raise unavailable(
                f"{user.where} has no credentials, so context {context.name!r} would be anonymous",
                "give the user a token, a certificate or an exec plugin",
            )
    return found


async def load_impersonating(contexts: Contexts, context: ContextInfo, identity: Identity) -> Credentials:
    """As `load`, to act as another: the context's own user needs the right to `impersonate`."""
    found = await load(contexts, context)
    if found.acting_as:
        raise unavailable(
            f"context {context.name!r} impersonates {found.acting_as.user!r} already, so this server cannot act as its "
            "callers there",
            "take `as` out of the kubeconfig, or set KMCP_ACT_AS=server",
        )
    found.acting_as = identity
    return found


async def load_bearing(contexts: Contexts, context: ContextInfo, token: str) -> Credentials:
    """The context's cluster with a caller's token, and nothing of the context's own user."""
    if urlsplit(context.server).scheme != "https":
        raise unavailable(
            f"context {context.name!r} ({context.server}) has no TLS, so no caller's token is sent there",
            "use the https address of the API server",
        )
    if context.auth == "in_cluster":
        return Credentials(context.server, ssl_ca_cert=str(SERVICE_ACCOUNT / "ca.crt"), token=token, passed_on=True)
    cluster, _ = _entries(contexts, context)
    proxy = _proxy(cluster, urlsplit(context.server))
    found = Credentials(context.server, proxy=proxy, token=token, passed_on=True)
    _identify_server(cluster, found)
    return found


def _entries(contexts: Contexts, context: ContextInfo) -> tuple[ClusterEntry, UserEntry]:
    kubeconfig = contexts.kubeconfig
    entry = kubeconfig.contexts[context.name]
    found: list[Any] = []
    for field, name, entries in (
        ("cluster", entry.cluster, kubeconfig.clusters),
        ("user", entry.user, kubeconfig.users),
    ):
        if not name and field == "cluster":
            raise _faulty(f"{entry.where}.{field}", "is missing")
        if name and name not in entries:
            names = ", ".join(entries) or "none"
            raise unavailable(
                f"{entry.where}.{field} names {name!r}, and the kubeconfig has no such {field}",
                f"its {field}s: {names}",
            )
        found.append(entries.get(name) if name else None)
    cluster, user = found
    if not cluster.server:
        raise _faulty(f"{cluster.where}.server", "is missing")
    if not context.server:
        raise _faulty(f"{cluster.where}.server", "is not the URL of a server (https://HOST:PORT)")
    # A user that is not named has no credentials; over plain HTTP (kubectl proxy) none are needed.
    return cluster, user or UserEntry(f"{entry.where} names no user, which")


def _proxy(cluster: ClusterEntry, server: SplitResult) -> str | None:
    if not cluster.proxy:
        found = proxies.of_environment(server)
        where = "the environment's proxy (HTTPS_PROXY, HTTP_PROXY)"
    else:
        found, where = cluster.proxy, f"{cluster.where}.proxy-url"
    if found is None:
        return None
    try:
        url = urls.split(found, _PROXIES)
    except ValueError as error:
        raise _faulty(where, f"is not a URL of {', '.join(_PROXIES)}: {error}") from None
    redaction.learn(url.password or "")
    return found


def _acting_as(user: UserEntry) -> Identity | None:
    if not user.act_as:
        if user.act_as_uid or user.act_as_groups or user.act_as_extra:
            raise _faulty(f"{user.where}.as", "is missing, although as-uid, as-groups or as-user-extra is given")
        return None
    extra = tuple((key, tuple(values)) for key, values in user.act_as_extra.items())
    found = Identity(user.act_as, user.act_as_uid, tuple(user.act_as_groups), extra)
    if any(_CONTROL.search(value) for _, value in _impersonating(found)):
        raise _faulty(f"{user.where}.as", "or a field beside it holds a line break")
    return found


def _impersonating(identity: Identity | None) -> list[tuple[str, str]]:
    """The headers that name whom to act as."""
    if identity is None:
        return []
    headers = [("Impersonate-User", identity.user)]
    headers += [("Impersonate-Uid", identity.uid)] if identity.uid else []
    headers += [("Impersonate-Group", group) for group in identity.groups]
    for key, values in identity.extra:
        headers += [(f"Impersonate-Extra-{quote(key, safe=_HEADER_NAME)}", value) for value in values]
    return headers


def _check_user(user: UserEntry) -> None:
    """Refuse what kubectl refuses before it sends anything."""
    if user.token and (user.username or user.password):
        raise _faulty(user.where, "has a token and a password: only one is allowed")
    if user.certificate or user.certificate_data:
        for field, path, data in (
            ("client-certificate", user.certificate, user.certificate_data),
            ("client-key", user.key, user.key_data),
        ):
            if path and data:
                raise _faulty(f"{user.where}.{field}", f"and {field}-data are both given")
            _check_readable(user.where, field, path)
        if not user.key and not user.key_data:
            raise _faulty(f"{user.where}.client-key", "is missing: a client certificate needs its key")
    if user.plugin is not None:
        exec_plugins.check(user)


def _check_readable(where: str, field: str, path: str) -> None:
    if not path:
        return
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise _faulty(f"{where}.{field}", f"cannot be read: {path}: {error.strerror}") from None


def _identify_server(cluster: ClusterEntry, found: Credentials) -> None:
    if cluster.authority and cluster.authority_data:
        raise _faulty(f"{cluster.where}.certificate-authority", "and certificate-authority-data are both given")
    if cluster.insecure and (cluster.authority or cluster.authority_data):
        raise _faulty(f"{cluster.where}.insecure-skip-tls-verify", "cannot be used with a certificate authority")
    _check_readable(cluster.where, "certificate-authority", cluster.authority)
    found.verify_ssl = not cluster.insecure
    found.tls_server_name = cluster.tls_server_name or None
    found.ssl_ca_cert = _file(cluster.authority, cluster.authority_data, found)
    if found.ssl_ca_cert:
        try:
            ssl.create_default_context(cafile=found.ssl_ca_cert)
        except (ssl.SSLError, OSError, ValueError):
            field = "certificate-authority-data" if cluster.authority_data else "certificate-authority"
            raise _faulty(f"{cluster.where}.{field}", "holds no certificate (PEM)") from None


async def _identify_user(user: UserEntry, cluster: ClusterEntry, found: Credentials) -> None:
    if user.certificate or user.certificate_data:
        found.cert_file = _file(user.certificate, user.certificate_data, found)
        found.key_file = _file(user.key, user.key_data, found)
        _check_pair(found, f"{user.where}.client-certificate and client-key")
    if user.token_file:
        found.token_file = Path(user.token_file)
        found.token = user.token or None
        found.bearer()
    elif user.token:
        found.token = user.token
        found.headers()
    elif user.username:
        found.basic = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        redaction.learn(user.password)
    if user.provider is not None and not (found.token or found.token_file or found.basic):
        found.token = await sign_in.token(user)
    if user.plugin is not None and not (found.cert_file or found.token or found.token_file or found.basic):
        await _run_plugin(user, cluster, found)


async def _run_plugin(user: UserEntry, cluster: ClusterEntry, found: Credentials) -> None:
    assert user.plugin is not None, "asked for a user without plugin"
    told = _told(cluster, found) if user.plugin.provide_cluster else None
    issued = await exec_plugins.run(user, told)
    found.token, found.expires = issued.token or None, issued.expires
    if issued.certificate:
        found.cert_file = _file("", issued.certificate.encode(), found)
        found.key_file = _file("", issued.key.encode(), found)
        _check_pair(found, f"the certificate and key of the exec plugin of {user.where}")


def _told(cluster: ClusterEntry, found: Credentials) -> Mapping[str, Any]:
    """What a plugin learns of the cluster (`provideClusterInfo`)."""
    authority = Path(found.ssl_ca_cert).read_bytes() if found.ssl_ca_cert else b""
    told = {
        "server": found.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": found.proxy,
        "disable-compression": cluster.disable_compression,
    }
    return {key: value for key, value in told.items() if value} | {"config": cluster.exec_extension}


def _check_pair(found: Credentials, what: str) -> None:
    try:
        # A password that is asked for on a terminal would stop the server: a locked key is one that does not fit.
        # Without the authorities of the system, which take most of a tenth of a second to read and are not asked here.
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        pair.load_cert_chain(str(found.cert_file), found.key_file, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError):
        raise _faulty(what, "are not a certificate and its unlocked key (PEM)") from None


def _file(path: str, data: bytes, owner: Credentials) -> str | None:
    """The path of a field that holds either a path or the content."""
    if not data:
        return path or None
    descriptor, written = tempfile.mkstemp(dir=private_files.folder())  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    # Key material leaves the disk with the credentials that needed it.
    weakref.finalize(owner, Path(written).unlink, missing_ok=True)
    return written


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is not a text"


def _faulty(what: str, problem: str) -> ToolFailure:
    return unavailable(f"{what} {problem}", "correct the kubeconfig")
