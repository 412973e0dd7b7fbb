"""Which clusters this process can reach, and how: the contexts of a kubeconfig, or the pod's own service account.

Nothing is invented: without a current context none is chosen, and a context that cannot be used is refused when it is
used, with the file and the field (`kmcp_runtime.kube.credentials`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from kmcp_runtime.errors import unavailable
from kmcp_runtime.kube import kubeconfig_files
from kmcp_runtime.kube.kubeconfig_files import WHAT_TO_SET, Kubeconfig, UserEntry

Auth = Literal["token", "exec", "client_certificate", "basic", "auth_provider", "in_cluster", "none"]
IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class ContextInfo:
    """One context, without any credential."""

    name: str
    cluster: str
    server: str
    """Its URL; empty where the kubeconfig has none that can be used."""
    namespace: str
    auth: Auth
    user: str
    acts_as: str = ""
    """The user that this one impersonates."""


@dataclass(frozen=True)
class Contexts:
    """The contexts of one source; `current` is the default."""

    path: str
    """Of the kubeconfig files; empty in a cluster."""
    current: str
    """Empty when the kubeconfig chooses none."""
    all: tuple[ContextInfo, ...]
    kubeconfig: Kubeconfig = field(default_factory=Kubeconfig)

    def named(self, name: str | None) -> ContextInfo:
        """The context of that name, else the current one. Errors: `unavailable` when there is none."""
        wanted = name or self.current
        names = ", ".join(context.name for context in self.all)
        if not wanted:
            # Tools have the argument only where there is a choice (`clusters.context_argument`).
            step = "give context, or set current-context" if len(self.all) > 1 else "set current-context"
            raise unavailable(
                f"no context is chosen: the kubeconfig {self.path} has no current-context",
                f"{step}; its contexts: {names}",
            )
        found = next((context for context in self.all if context.name == wanted), None)
        if found is None:
            raise unavailable(f"the kubeconfig {self.path} has no context {wanted!r}", f"its contexts: {names}")
        return found


def load_contexts(setting: str) -> Contexts:
    """Read the kubeconfig or the pod's service account; `unavailable`, with what to set, when there is neither."""
    files = kubeconfig_files.paths(setting)
    if files:
        return _of_files(files)
    if _in_a_pod():
        return _in_cluster()
    raise unavailable("no cluster is configured: there is no kubeconfig and this is not a pod", WHAT_TO_SET)


def load_own(setting: str) -> Contexts:
    """The cluster that this process itself runs in: a pod's own one whatever the setting, else as `load_contexts`."""
    return _in_cluster() if _in_a_pod() else load_contexts(setting)


def _in_a_pod() -> bool:
    return (SERVICE_ACCOUNT / "token").is_file() and bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def _in_cluster() -> Contexts:
    namespace_file = SERVICE_ACCOUNT / "namespace"
    written = namespace_file.read_text().strip() if namespace_file.is_file() else ""
    # In client-go's order.
    namespace = os.environ.get("POD_NAMESPACE") or written or "default"
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    # An IPv6 address needs brackets in a URL.
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Contexts(
        "", IN_CLUSTER, (ContextInfo(IN_CLUSTER, IN_CLUSTER, server, namespace, "in_cluster", "service account"),)
    )


def _of_files(files: list[str]) -> Contexts:
    kubeconfig = kubeconfig_files.load(files)
    path = os.pathsep.join(files)
    if not kubeconfig.files:
        raise unavailable(f"the kubeconfig {path} does not exist", WHAT_TO_SET)
    # One without a name cannot be asked for.
    contexts = tuple(_context(kubeconfig, name) for name in kubeconfig.contexts if name)
    if not contexts:
        raise unavailable(f"the kubeconfig {path} has no contexts", WHAT_TO_SET)
    return Contexts(path, kubeconfig.current, contexts, kubeconfig)


def _context(kubeconfig: Kubeconfig, name: str) -> ContextInfo:
    entry = kubeconfig.contexts[name]
    cluster = kubeconfig.clusters.get(entry.cluster)
    user = kubeconfig.users.get(entry.user, UserEntry())
    return ContextInfo(
        name,
        entry.cluster,
        server_url(cluster.server) if cluster else "",
        entry.namespace or "default",
        _auth(user),
        entry.user,
        user.act_as,
    )


def server_url(server: str) -> str:
    """The URL of `server`, as client-go completes it, without user, query and fragment; empty when it is none."""
    for text in (server, f"http://{server}"):
        try:
            found = urlsplit(text)
            port = found.port
        except ValueError:
            continue
        if found.scheme in ("http", "https") and found.hostname:
            # A host without a scheme cannot have a path: it is plain HTTP, and rarely what was meant.
            if text != server and found.path not in ("", "/"):
                return ""
            host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
            address = host if port is None else f"{host}:{port}"
            return urlunsplit((found.scheme, address, found.path.rstrip("/"), "", ""))
        if found.scheme and found.netloc:
            return ""
    return ""


def _auth(user: UserEntry) -> Auth:
    """What of it is used, in client-go's order."""
    ways: Mapping[Auth, object] = {
        "token": user.token or user.token_file,
        "basic": user.username,
        "client_certificate": user.certificate or user.certificate_data,
        "auth_provider": user.provider,
        "exec": user.plugin,
    }
    return next((way for way, given in ways.items() if given), "none")
