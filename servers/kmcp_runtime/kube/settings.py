"""Configuration of every server that talks to clusters."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator

from kmcp_runtime.identities import Caller, Identity
from kmcp_runtime.settings import Settings, setting


class ClusterSettings(Settings):
    facts = "kmcp_runtime.instant.kubeconfig:facts"
    surroundings = ("context",)

    kubeconfig: str = setting(
        "", "Path of the kubeconfig (unset: ~/.kube/config, or the pod's service account)", env="KUBECONFIG"
    )
    contexts: str = setting("", "Only these contexts of the kubeconfig, separated by commas; the first is the default")
    kube_timeout: float = setting(
        30.0, "Deadline of one request to the API server", env="KUBE_TIMEOUT", unit="seconds", gt=0, le=3600
    )

    act_as: Literal["server", "impersonate", "passthrough"] = setting(
        "server",
        "As whom calls reach the API server: as this server, as the caller whom it impersonates, or with the caller's "
        "own bearer token",
    )
    act_as_prefix: str = setting(
        "", "With impersonate: put before users and groups of JSON Web Tokens and of the token file, as in `kmcp:`"
    )
    act_as_header: str = setting(
        "Authorization", "With passthrough: the header with the token for the API server", min_length=1
    )
    act_as_clients: int = setting(
        64, "Callers whose connections and caches are kept; the longest unused go first", ge=1, le=10_000
    )

    @field_validator("act_as_header")
    @classmethod
    def _is_name(cls, name: str) -> str:
        if not name.replace("-", "").isalnum() or not name.isascii():
            raise ValueError("must be the name of a header: letters, digits and -")
        # One spelling, since headers are the same in any case.
        return name.title()

    def identity_of(self, caller: Caller) -> Identity | None:
        # Not at the top: see below.
        from kmcp_runtime.kube import acting

        return acting.identity_of(caller, self)

    def extra_arguments(self) -> Mapping[str, Any]:
        # Not at the top: settings are read to print --help, which needs no Kubernetes client.
        from kmcp_runtime.kube.clusters import context_argument

        return context_argument(self)
