"""Namespaces for tests, made ready for pods and deleted without waiting, and the version of the API server."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kubernetes.client import CoreV1Api, V1Namespace, V1ObjectMeta, VersionApi
from kubernetes.config import new_client_from_config
from kubernetes.watch import Watch

from tests.slowness import whole

READY_SECONDS = 30


class Namespaces:
    """Creates and deletes namespaces with the credentials of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = new_client_from_config(config_file=str(kubeconfig))
        self._core = CoreV1Api(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def create(self, name: str) -> None:
        """Create it and wait for what its controllers add and every pod needs."""
        self._core.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
        # A pod that comes before its ServiceAccount is refused, and one before the ConfigMap does not start.
        _appeared(self._core.list_namespaced_service_account, name, "default")
        _appeared(self._core.list_namespaced_config_map, name, "kube-root-ca.crt")

    def delete(self, name: str) -> None:
        # Pods first and at once: many programs of tests ignore SIGTERM, and would stay for their grace period.
        self._core.delete_collection_namespaced_pod(name, grace_period_seconds=0)
        self._core.delete_namespace(name)


def version(kubeconfig: Path) -> str:
    """The API server's version, as `v1.36.3`."""
    return str(VersionApi(new_client_from_config(config_file=str(kubeconfig))).get_code().git_version)


def _appeared(lister: Callable[..., Any], namespace: str, name: str) -> None:
    selector = f"metadata.name={name}"
    seconds = whole(READY_SECONDS)
    for _ in Watch().stream(lister, namespace, field_selector=selector, timeout_seconds=seconds):
        return
    raise TimeoutError(f"no {name} in namespace {namespace} within {seconds} s")
