"""The Deployments of the Argo Rollouts controller: where they are, their version, how many pods are available."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.kube.cluster import Cluster

LABEL = "app.kubernetes.io/name=argo-rollouts"
NAMESPACE = "argo-rollouts"
CONTAINER = "argo-rollouts"
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A Deployment of the controller."""

    name: str
    namespace: str
    image: str
    desired: int
    available: int

    @property
    def version(self) -> str | None:
        """The tag of its image."""
        # The part after the last slash: a registry may have a port, which is not a tag.
        _, _, tag = self.image.rpartition("/")[2].partition(":")
        return tag.partition("@")[0] or None


async def find_controllers(cluster: Cluster, label: str = LABEL, namespace: str | None = None) -> list[Found]:
    """The controller's Deployments: those with the label, in one namespace or in all."""
    deployments = await cluster.list_objects("deployments.apps", namespace, selector=label)
    return [_found(item) for item in deployments if not _is_dashboard(item)]


def _found(deployment: Object) -> Found:
    spec, status = deployment["spec"], deployment.get("status") or {}
    containers = spec["template"]["spec"]["containers"]
    # Some installations rename the container; its image then is the first, as of a Deployment with one container.
    image = next((each["image"] for each in containers if each["name"] == CONTAINER), containers[0]["image"])
    metadata = deployment["metadata"]
    return Found(
        metadata["name"],
        metadata["namespace"],
        image,
        int(spec.get("replicas", 1)),
        int(status.get("availableReplicas") or 0),
    )


def _is_dashboard(deployment: Object) -> bool:
    # The dashboard of the Helm chart has the name label of the controller, and only its component label differs.
    return "dashboard" in str((deployment["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))
