"""Credentials read without the official client: a kubeconfig's certificate, token or token file, or a pod's account.

For images without that package. Exec plugins and OIDC need it; here they are refused with the reason.
"""

import base64
import os
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_runtime import private_files, redaction, yaml_text
from kmcp_runtime.errors import unavailable
from kmcp_runtime.kube.config import SERVICE_ACCOUNT, ContextInfo, Contexts, named

Entry = Mapping[str, Any]


# Compared by identity: `renew` asks whether these are still the credentials that were refused.
@dataclass(eq=False)
class Credentials:
    """What a connection needs: certificates as files, and a token, read again for each request if it is in a file."""

    ssl_ca_cert: str | None = None
    ca_cert_data: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    proxy: str | None = None
    token: str | None = None
    token_file: Path | None = None

    def bearer(self) -> str | None:
        return self.token_file.read_text().strip() if self.token_file else self.token

    async def auth_settings(self) -> dict[str, dict[str, str]]:
        token = self.bearer()
        redaction.learn(token or "")
        value = f"Bearer {token}" if token else ""
        return {"BearerToken": {"in": "header", "key": "authorization", "value": value}}


async def native(contexts: Contexts, context: ContextInfo) -> Credentials:
    """The credentials of a context; `unavailable` when they need the official client or cannot be read."""
    try:
        if context.auth == "in_cluster":
            return Credentials(ssl_ca_cert=str(SERVICE_ACCOUNT / "ca.crt"), token_file=SERVICE_ACCOUNT / "token")
        if context.auth == "exec":
            raise unavailable(f"context {context.name!r} signs in with a plugin", "use a token or a client certificate")
        return _of(contexts, context)
    except (OSError, ValueError) as error:
        raise unavailable(f"the credentials of context {context.name!r} cannot be used: {error}") from None


def _of(contexts: Contexts, context: ContextInfo) -> Credentials:
    folder = Path(contexts.path).parent
    document = yaml_text.read(Path(contexts.path).read_text())
    cluster = named(document, "clusters", context.cluster).get("cluster") or {}
    user = named(document, "users", context.user).get("user") or {}
    found = Credentials(verify_ssl=not cluster.get("insecure-skip-tls-verify"), proxy=cluster.get("proxy-url"))
    found.ssl_ca_cert = _file(cluster, "certificate-authority", folder, found)
    found.cert_file = _file(user, "client-certificate", folder, found)
    found.key_file = _file(user, "client-key", folder, found)
    found.token = user.get("token")
    if user.get("tokenFile"):
        found.token_file = folder / user["tokenFile"]
    return found


def _file(entry: Entry, name: str, folder: Path, owner: Credentials) -> str | None:
    """The path of a field that holds either a path or, under `<name>-data`, the content."""
    data = entry.get(f"{name}-data")
    if not data:
        return str(folder / entry[name]) if entry.get(name) else None
    descriptor, path = tempfile.mkstemp(dir=private_files.folder())  # TLS loads a key from a path only; mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64decode(data))
    # Key material leaves the disk with the credentials that needed it.
    weakref.finalize(owner, Path(path).unlink, missing_ok=True)
    return path
