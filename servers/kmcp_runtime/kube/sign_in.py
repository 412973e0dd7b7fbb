"""Users that sign in by an `auth-provider`: OpenID Connect, by the official client, which renews the token."""

from typing import Any

from kmcp_runtime import redaction
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.kube.kubeconfig_files import UserEntry

_REMOVED = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


async def token(user: UserEntry) -> str:
    """The user's token. Errors: `unavailable` when the provider is not OpenID Connect, or refuses."""
    if user.provider != "oidc":
        plugin = _REMOVED.get(user.provider or "")
        problem = f"is {user.provider!r}, which Kubernetes has removed" if plugin else f"is {user.provider!r}"
        raise _unusable(user, f".name {problem}", f"use the exec plugin {plugin}" if plugin else "use an exec plugin")
    try:
        # Imported here: it takes long, and images without the official client have no such user.
        from kubernetes.aio.client.configuration import Configuration
        from kubernetes.aio.config import load_kube_config_from_dict
    except ImportError:
        raise _unusable(user, " needs the kubernetes package", "use a token or an exec plugin") from None
    configuration = Configuration()
    try:
        await load_kube_config_from_dict(_document(user), client_configuration=configuration)
        found = str(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer ")
    # What it raises is as its provider answers: its own errors, KeyError and TypeError for a field that is not there.
    except Exception as error:
        raise _unusable(user, f" cannot sign in: {type(error).__name__}: {redaction.text(str(error))}") from None
    if not found:
        raise _unusable(user, " gave no token")
    redaction.learn(found)
    return found


def _document(user: UserEntry) -> dict[str, Any]:
    provider = {"name": user.provider, "config": dict(user.provider_config)}
    return {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {}}],
        "users": [{"name": "x", "user": {"auth-provider": provider}}],
    }


def _unusable(user: UserEntry, problem: str, hint: str = "sign in again") -> ToolFailure:
    return unavailable(f"{user.where}.auth-provider{problem}", hint)
