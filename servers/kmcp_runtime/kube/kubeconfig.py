"""A kubeconfig of one context with its credentials loaded, for a program that acts on our behalf.

Plugins and OIDC have already run, so the program needs neither them nor the environment of this process. A pod's token
is given as a file: it is rotated, and the program may run for minutes.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kmcp_runtime.kube import config

_NAME = "kmcp"


async def load_document(contexts: config.Contexts, context: config.ContextInfo) -> dict[str, Any]:
    """The kubeconfig as data; it contains credentials, so write it to a private file only."""
    loaded = await config.load_credentials(contexts, context)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _NAME,
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": context.namespace}}],
        "clusters": [{"name": _NAME, "cluster": _cluster(context, loaded)}],
        "users": [{"name": _NAME, "user": await _load_user(context, loaded)}],
    }


def _cluster(context: config.ContextInfo, loaded: Any) -> dict[str, Any]:
    found = {"server": context.server, "tls-server-name": loaded.tls_server_name, "proxy-url": loaded.proxy}
    if not loaded.verify_ssl:
        return _given({**found, "insecure-skip-tls-verify": True})
    data = loaded.ca_cert_data
    authority = _encoded(data.encode() if isinstance(data, str) else data) if data else _content(loaded.ssl_ca_cert)
    return _given({**found, "certificate-authority-data": authority})


async def _load_user(context: config.ContextInfo, loaded: Any) -> dict[str, Any]:
    if context.auth == "in_cluster":
        return {"tokenFile": str(config.SERVICE_ACCOUNT / "token")}
    settings = await loaded.auth_settings()
    # The client has run plugins and OIDC by now: what is left is a bearer token.
    scheme, _, token = str(settings.get("BearerToken", {}).get("value") or "").partition(" ")
    return _given(
        {
            "client-certificate-data": _content(loaded.cert_file),
            "client-key-data": _content(loaded.key_file),
            "token": token if scheme.lower() == "bearer" else None,
        }
    )


def _content(path: str | None) -> str | None:
    return _encoded(Path(path).read_bytes()) if path else None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _given(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value}
