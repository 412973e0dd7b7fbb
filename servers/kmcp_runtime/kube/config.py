"""Which clusters this process can reach, and how: the contexts of a kubeconfig, or the pod's own service account.

Credentials (exec plugins, OIDC, rotated service account tokens) are those of the official client's configuration.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from kmcp_runtime import private_files, yaml_text
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.worker import run_in_thread

Auth = Literal["token", "exec", "client_certificate", "in_cluster", "none"]
IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_WHAT_TO_SET = "set KUBECONFIG (or --kubeconfig) to a kubeconfig file, or run in a pod with a service account"


@dataclass(frozen=True)
class ContextInfo:
    """One context, without any credential."""

    name: str
    cluster: str
    server: str
    namespace: str
    auth: Auth
    user: str


@dataclass(frozen=True)
class Contexts:
    """The contexts of one source; `current` is the default."""

    path: str
    """Of the kubeconfig; empty in a cluster."""
    current: str
    all: tuple[ContextInfo, ...]

    def named(self, name: str | None) -> ContextInfo:
        wanted = name or self.current
        found = next((context for context in self.all if context.name == wanted), None)
        if found is None:
            names = ", ".join(context.name for context in self.all)
            raise unavailable(f"the kubeconfig {self.path} has no context {wanted!r}", f"its contexts: {names}")
        return found


def kubeconfig_path(setting: str, environment: Mapping[str, str] = os.environ) -> str:
    """The kubeconfig that applies: the setting (with several files, the first that exists), else the usual place."""
    paths = [part for part in setting.split(os.pathsep) if part]
    default = Path(environment.get("HOME", "")) / ".kube" / "config"
    if not paths and default.is_file():
        return str(default)
    # kubectl merges all files of KUBECONFIG; here the first one decides.
    existing = [path for path in paths if Path(path).is_file()]
    return (existing or paths or [""])[0]


def load_contexts(setting: str) -> Contexts:
    """Read the kubeconfig or the pod's service account; `unavailable`, with what to set, when there is neither."""
    path = kubeconfig_path(setting)
    if path:
        return _from_kubeconfig(path)
    if _in_a_pod():
        return _in_cluster()
    raise unavailable("no cluster is configured: there is no kubeconfig and this is not a pod", _WHAT_TO_SET)


def load_own(setting: str) -> Contexts:
    """The cluster that this process itself runs in: a pod's own one whatever the setting, else as `load_contexts`."""
    return _in_cluster() if _in_a_pod() else load_contexts(setting)


def _in_a_pod() -> bool:
    return (SERVICE_ACCOUNT / "token").is_file() and bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def _in_cluster() -> Contexts:
    namespace_file = SERVICE_ACCOUNT / "namespace"
    namespace = namespace_file.read_text().strip() if namespace_file.is_file() else "default"
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    # An IPv6 address needs brackets in a URL.
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Contexts(
        "", IN_CLUSTER, (ContextInfo(IN_CLUSTER, IN_CLUSTER, server, namespace, "in_cluster", "service account"),)
    )


def _from_kubeconfig(path: str) -> Contexts:
    try:
        document = yaml_text.read(Path(path).read_text())
    except OSError as error:
        raise unavailable(f"cannot read the kubeconfig {path}: {error.strerror}", _WHAT_TO_SET) from None
    except yaml_text.YamlError as error:
        where = getattr(error, "problem_mark", None)
        place = f", line {where.line + 1}" if where else ""
        problem = f": {error.problem}" if isinstance(error, yaml_text.TooLarge) else ""
        raise unavailable(f"the kubeconfig {path} is not valid YAML{place}{problem}", _WHAT_TO_SET) from None
    if not isinstance(document, dict) or not document.get("contexts"):
        raise unavailable(f"the kubeconfig {path} has no contexts", _WHAT_TO_SET)
    contexts = tuple(_context(document, entry) for entry in document["contexts"])
    return Contexts(path, document.get("current-context") or contexts[0].name, contexts)


def _context(document: Mapping[str, Any], entry: Mapping[str, Any]) -> ContextInfo:
    context = entry.get("context") or {}
    cluster = named(document, "clusters", context.get("cluster")).get("cluster") or {}
    user = named(document, "users", context.get("user")).get("user") or {}
    return ContextInfo(
        entry["name"],
        str(context.get("cluster", "")),
        str(cluster.get("server", "")),
        str(context.get("namespace") or "default"),
        _auth(user),
        str(context.get("user", "")),
    )


def named(document: Mapping[str, Any], section: str, name: Any) -> Mapping[str, Any]:
    return next((entry for entry in document.get(section) or () if entry.get("name") == name), {})


def _auth(user: Mapping[str, Any]) -> Auth:
    # In the order of the official client, which runs a plugin before it looks at a static token.
    if user.get("exec") or user.get("auth-provider"):
        return "exec"
    if user.get("token") or user.get("tokenFile"):
        return "token"
    if user.get("client-certificate") or user.get("client-certificate-data"):
        return "client_certificate"
    return "none"


async def load_credentials(contexts: Contexts, context: ContextInfo) -> Any:
    """The official client's Configuration of a context, tokens and certificates loaded."""
    # In a thread: it takes half a second to import, in which no other call was answered.
    official = await run_in_thread(_official_client)
    configuration = official.Configuration()
    try:
        if context.auth == "in_cluster":
            official.load_incluster_config(client_configuration=configuration)
        else:
            await official.load_kube_config(
                contexts.path,
                context.name,
                configuration,
                # A refreshed token stays in memory: the kubeconfig may be a read-only mount.
                persist_config=False,
                temp_file_path=str(private_files.folder()),
            )
    except (official.ConfigException, OSError, ValueError) as error:
        raise _unusable(context, str(error)) from None
    return configuration


def _official_client() -> Any:
    # Imported here: images without the official client use `credentials.native` instead.
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import load_incluster_config, load_kube_config
    from kubernetes.aio.config.config_exception import ConfigException

    return SimpleNamespace(
        Configuration=Configuration,
        load_incluster_config=load_incluster_config,
        load_kube_config=load_kube_config,
        ConfigException=ConfigException,
    )


def _unusable(context: ContextInfo, why: str) -> ToolFailure:
    return unavailable(
        f"the credentials of context {context.name!r} cannot be used: {why}", "renew them, or choose another context"
    )


def tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Python 3.13 checks strictly by default; certificate authorities of older clusters lack the extensions it requires.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
