"""Labels and annotations that make a controller delete, release or stop something. Pure.

Almost all of them are harmless, and people set them all day; these are orders.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_runtime.kube.parts import part

_ORDERS = frozenset(
    {
        # Tokens of ServiceAccounts: deleted when the account is not there, or has had the label for long enough.
        "kubernetes.io/service-account.name",
        "kubernetes.io/service-account.uid",
        "kubernetes.io/legacy-token-invalid-since",
        "kubernetes.io/legacy-token-last-used",
        # Volumes: whether a claim is bound, and who deletes what is behind a volume.
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "pv.kubernetes.io/provisioned-by",
        "pv.kubernetes.io/migrated-to",
        "volume.kubernetes.io/provisioner-deletion-secret-name",
        "volume.kubernetes.io/provisioner-deletion-secret-namespace",
        # Endpoints: their controller deletes what it manages and does not want.
        "endpointslice.kubernetes.io/managed-by",
        "kubernetes.io/service-name",
        "endpoints.kubernetes.io/managed-by",
        # Leases of API servers that are gone.
        "apiserver.kubernetes.io/identity",
        # A static pod's mirror.
        "kubernetes.io/config.mirror",
        # What is left in place, by Helm and by others, and who has applied it and prunes the rest.
        "helm.sh/resource-policy",
        "applyset.kubernetes.io/part-of",
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/sync-options",
        "argocd.argoproj.io/compare-options",
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/hook-delete-policy",
        "cnrm.cloud.google.com/deletion-policy",
        "autoscaling.keda.sh/paused-replicas",
        "cluster.x-k8s.io/delete-machine",
        "machine.openshift.io/delete-machine",
        "janitor/ttl",
        "janitor/expires",
    }
)
_FAMILIES = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "objectset.rio.cattle.io/")
_OF_RELEASES = frozenset({"owner", "name", "status", "version"})
"""Labels by which Helm finds a release: without them it is as good as deleted."""


def is_order(key: Any) -> bool:
    """Whether a label or annotation is one that a controller obeys by deleting, whatever the kind."""
    return str(key) in _ORDERS or str(key).startswith(_FAMILIES)


def of_release(found: Mapping[str, Any]) -> bool:
    """Whether it holds a revision of a Helm release."""
    labels = part(found, "metadata", "labels")
    return found.get("type") == "helm.sh/release.v1" or (
        found.get("kind") == "ConfigMap" and labels.get("owner") == "helm"
    )


def obeyed(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What is changed of them, in words; also of a Helm release, which is its labels and its data."""
    for field in ("labels", "annotations"):
        old, new = part(before, "metadata", field), part(after, "metadata", field)
        for key in sorted(str(key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)):
            if is_order(key):
                yield f"changes {field[:-1]} {key} of {name}, by which controllers delete or release things"
            elif field == "labels" and key in _OF_RELEASES and of_release(before):
                yield f"changes label {key} of {name}, by which Helm finds a release"
    if of_release(before) and before.get("data") != after.get("data"):
        yield f"overwrites {name}, which holds a revision of a Helm release"
