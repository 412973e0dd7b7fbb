"""The real controller of Argo Rollouts on the test cluster: its own manifest, an image made of the built binary."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Discovery
from kmcp_runtime.kube.failures import StatusFailure
from tests.applying import APPLY
from tests.cluster import binaries, images, system
from tests.cluster.model import Cluster
from tests.slowness import scaled
from tests.waiting import until

NAMESPACE = "argo-rollouts"
IMAGE = "localhost/kmcp-test/argo-rollouts:v1.9.0"
SLEEPER = "localhost/kmcp-test/sleeper"
VERSIONS = ("1", "2", "3")
_QUERY = (("fieldManager", "kmcp-tests"), ("force", "true"))
Object = dict[str, Any]


def put_images(cluster: Cluster, programs: Mapping[str, Path], folder: Path) -> None:
    """The controller's image, and three versions of one that only sleeps, onto the node."""
    if not cluster.ctr:
        pytest.skip(f"no way to bring images onto the node of {cluster.kind}")
    busybox = system.find("busybox")
    assert busybox is not None
    wanted = {IMAGE: programs["rollouts-controller"], **{f"{SLEEPER}:{version}": busybox for version in VERSIONS}}
    for image, program in wanted.items():
        tar = folder / "image.tar"
        images.write_program_image(program, image, tar)
        images.import_image(cluster, tar)
        tar.unlink()


def manifests() -> list[Object]:
    """What upstream's manifest installs."""
    folder = binaries.source(binaries.BACKENDS["rollouts"], "github.com/argoproj/argo-rollouts")
    text = (folder / "manifests" / "install.yaml").read_text()
    return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]  # a SafeLoader


async def install(api: KubeApi) -> None:
    """Apply it and wait until the controller runs. It stays: tests of other workers use it at the same time."""
    await apply(api, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for found in manifests():
        await apply(api, deployment(found) if found["kind"] == "Deployment" else found, NAMESPACE)
    await available(api, NAMESPACE)


def deployment(found: Object) -> Object:
    """The controller's Deployment with our image, asked at once whether it is ready."""
    spec = found["spec"]["template"]["spec"]
    container = spec["containers"][0]
    container |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["/rollouts-controller"]}
    container["workingDir"] = "/home/argo-rollouts"  # Its image's own; plugins are put below it.
    container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    spec["securityContext"]["runAsUser"] = 65532
    spec["terminationGracePeriodSeconds"] = 0
    return found


async def available(api: KubeApi, namespace: str) -> None:
    async def look() -> Object:
        found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/argo-rollouts")
        return dict(found.get("status") or {})

    await until(look, lambda status: status.get("availableReplicas", 0) > 0, 120, "the controller of Argo Rollouts")


async def apply(api: KubeApi, found: Object, namespace: str | None = None) -> None:
    group = found["apiVersion"].rpartition("/")[0]
    kind = await Discovery(api).resolve(f"{found['kind'].lower()}.{group}" if group else found["kind"])
    path = kind.path(namespace, found["metadata"]["name"])

    async def accepted() -> bool:
        try:
            await api.send("PATCH", path, _QUERY, found, APPLY)
        except StatusFailure as failure:
            if failure.http_status not in (404, 409, 429):  # its kind is being made, or another worker was faster
                raise
            return False
        return True

    await until(accepted, what=f"{found['kind']} {found['metadata']['name']}")


class Plugin:
    """The kubectl plugin, to compare with."""

    def __init__(self, program: Path, cluster: Cluster, namespace: str) -> None:
        self._words = [str(program), "--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._words, *arguments], capture_output=True, text=True, check=False, timeout=scaled(60)
        )
        return done.stdout.strip()

    def row(self, name: str) -> dict[str, str]:
        """A line of `list rollouts`."""
        header, *lines = self.run("list", "rollouts").splitlines()
        found = next(line for line in lines if line.split()[0] == name)
        return dict(zip(header.split(), found.split(), strict=True))

    def status(self, name: str) -> str:
        """`Healthy`, or `Paused - CanaryPauseStep`."""
        return self.run("status", name, "--watch=false").splitlines()[0]
