"""A kubeconfig of one context with its credentials loaded, for a program that acts on our behalf.

Plugins and OIDC have already run, so the program needs neither them nor the environment of this process. A pod's token
is given as a file: it is rotated, and the program may run for minutes.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kmcp_runtime.identities import Identity
from kmcp_runtime.kube import config
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.credentials import Credentials
from kmcp_runtime.kube.kubeconfig_files import UserEntry

_NAME = "kmcp"


async def load_document(api: KubeApi) -> dict[str, Any]:
    """The kubeconfig as data, for the identity of these requests; it contains credentials, so write it to a private
    file only."""
    contexts, context, loaded = api.contexts, api.context, await api.load_credentials()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _NAME,
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": context.namespace}}],
        "clusters": [{"name": _NAME, "cluster": _cluster(context, loaded)}],
        "users": [{"name": _NAME, "user": _user(contexts, context, loaded)}],
    }


def _cluster(context: config.ContextInfo, loaded: Credentials) -> dict[str, Any]:
    found = {"server": context.server, "tls-server-name": loaded.tls_server_name, "proxy-url": loaded.proxy}
    if not loaded.verify_ssl:
        return _given({**found, "insecure-skip-tls-verify": True})
    return _given({**found, "certificate-authority-data": _content(loaded.ssl_ca_cert)})


def _user(contexts: config.Contexts, context: config.ContextInfo, loaded: Credentials) -> dict[str, Any]:
    if loaded.passed_on:
        return {"token": loaded.token}
    if context.auth == "in_cluster":
        return {"tokenFile": str(config.SERVICE_ACCOUNT / "token"), **_acting_as(loaded.acting_as)}
    written = contexts.kubeconfig.users.get(context.user, UserEntry())
    return _given(
        {
            "client-certificate-data": _content(loaded.cert_file),
            "client-key-data": _content(loaded.key_file),
            "token": loaded.bearer(),
            "username": written.username if loaded.basic else None,
            "password": written.password if loaded.basic else None,
            **_acting_as(loaded.acting_as),
        }
    )


def _acting_as(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    extra = {key: list(values) for key, values in identity.extra}
    found = {"as": identity.user, "as-uid": identity.uid, "as-groups": list(identity.groups), "as-user-extra": extra}
    return _given(found)


def _content(path: str | None) -> str | None:
    return base64.b64encode(Path(path).read_bytes()).decode() if path else None


def _given(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value}
