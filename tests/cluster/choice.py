"""Which cluster a run gets: the one that is given, else k3s where a container engine answers, else our own build."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from kubernetes.client import VersionApi
from kubernetes.config import new_client_from_config

from tests.cluster import build, k3s
from tests.cluster.model import Cluster, ClusterUnavailable, Running

GIVEN = "KMCP_TEST_KUBECONFIG"
GIVEN_IMAGE = "busybox:1.37"


def given() -> Cluster | None:
    """The cluster of `KMCP_TEST_KUBECONFIG`, used as it is; `KMCP_TEST_IMAGE` names its image with a shell."""
    if not (named := os.environ.get(GIVEN)):
        return None
    kubeconfig = Path(named).expanduser().resolve()
    if not kubeconfig.is_file():
        raise ClusterUnavailable(f"{GIVEN} names no file: {named}")
    version = VersionApi(new_client_from_config(config_file=str(kubeconfig))).get_code().git_version
    image = os.environ.get("KMCP_TEST_IMAGE", GIVEN_IMAGE)
    return Cluster(kubeconfig, True, None, image, "given kubeconfig", str(version))


def start(directory: Path, stack: ExitStack, say: Callable[[str], None]) -> Running:
    """Start a cluster of our own; `stack` receives what ends it."""
    return k3s.start(directory, stack, say) or build.start(directory, stack, say)
