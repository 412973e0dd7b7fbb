"""The cluster that a run is given by the environment, used as it is: nothing is started or stopped."""

import os
from pathlib import Path

from tests.cluster import lifetime
from tests.cluster.model import Cluster, ClusterUnavailable

NAME = "KMCP_TEST_CLUSTER"

KUBECONFIG = "KMCP_TEST_KUBECONFIG"
IMAGE = "KMCP_TEST_IMAGE"
DEFAULT_IMAGE = "busybox:1.37"


def from_environment() -> Cluster | None:
    """The cluster of `KMCP_TEST_KUBECONFIG`, or None; `KMCP_TEST_IMAGE` names an image with a shell that it has.

    `KMCP_TEST_CLUSTER=cluster` is the one that `make cluster` started: it spares each run the start of its own.
    """
    if name := os.environ.get(NAME):
        found = lifetime.running(name)
        if found is None:
            raise ClusterUnavailable(f"{NAME}={name}: none of that name is running; see make cluster")
        return found
    if not (named := os.environ.get(KUBECONFIG)):
        return None
    kubeconfig = Path(named).expanduser().resolve()
    if not kubeconfig.is_file():
        raise ClusterUnavailable(f"{KUBECONFIG} names no file: {named}")
    # Imported here because it takes a second, which runs without a given cluster need not pay.
    from tests.cluster.namespaces import version

    # Of a cluster that is not ours we know no image that it has: this one it can pull.
    image = os.environ.get(IMAGE, DEFAULT_IMAGE)
    return Cluster(kubeconfig, True, None, image, "given kubeconfig", version(kubeconfig))
