"""k3s in a container, through testcontainers: the cluster of machines with a container engine."""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from docker.errors import DockerException  # type: ignore[import-untyped]  # the package ships no types
from testcontainers.community.k3s import K3SContainer

from tests.cluster import images, system
from tests.cluster.model import TEST_IMAGE, Cluster, ClusterUnavailable, Running, forever
from tests.cluster.namespaces import version

IMAGE = "rancher/k3s:v1.36.3-k3s1"


def start(directory: Path, stack: ExitStack, say: Callable[[str], None]) -> Running | None:
    """Start k3s, or return None when no container engine answers. `KMCP_TEST_K3S_IMAGE` names another image."""
    try:
        k3s = K3SContainer(os.environ.get("KMCP_TEST_K3S_IMAGE", IMAGE))
    except DockerException:
        return None  # The constructor asks the engine for its address: no engine, and our own build takes over.
    say("starting k3s in the container engine")
    stack.enter_context(k3s)
    kubeconfig = directory / "admin.kubeconfig"
    # It holds the key of an administrator.
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(k3s.config_yaml())
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        raise ClusterUnavailable("the container engine answers, but neither docker nor podman is on PATH")
    node = (engine, "exec", "--interactive", str(k3s.get_wrapped_container().id))
    cluster = Cluster(kubeconfig, True, None, TEST_IMAGE, "k3s", version(kubeconfig), node, "ctr")
    _import_test_image(cluster, directory, say)
    return Running(cluster, forever)


def _import_test_image(cluster: Cluster, directory: Path, say: Callable[[str], None]) -> None:
    system.ensure_system_packages(say, ("busybox",))
    busybox = system.find("busybox")
    assert busybox is not None
    tar = directory / "test.tar"
    images.write_test_image(busybox, tar)
    images.import_image(cluster, tar)
    tar.unlink()
