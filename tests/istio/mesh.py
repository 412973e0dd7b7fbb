"""A real istiod of one run: a revision of its own that sees only namespaces labelled for it, without webhooks.

So several runs may have theirs on one cluster, and none touches what is not its own.
"""

import asyncio
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.istio.definitions import module
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled, whole

LABEL = "kmcp-mesh"


@dataclass(frozen=True)
class Mesh:
    """The control plane, and how istioctl is asked about it."""

    namespace: str
    revision: str
    address: str
    """Of istiod's Service."""
    image: str
    settings: IstioSettings
    installed: dict[str, Any]
    """What the tool answered that installed it."""

    async def istioctl(self, *words: str) -> str:
        """What istioctl prints."""
        argv = [
            self.settings.istioctl,
            *words,
            f"--kubeconfig={self.settings.kubeconfig}",
            f"--istioNamespace={self.namespace}",
        ]
        done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def settings_of(mesh: str, image: str) -> dict[str, str]:
    """The installation's settings: small, and blind for all other namespaces."""
    return {
        "values.pilot.image": image,
        "values.pilot.autoscaleEnabled": "false",
        "values.pilot.resources.requests.cpu": "10m",
        "values.pilot.resources.requests.memory": "64Mi",
        "values.global.imagePullPolicy": "IfNotPresent",
        "values.global.operatorManageWebhooks": "true",
        "values.global.configValidation": "false",
        "values.pilot.env.PILOT_ENABLE_AMBIENT": "true",
        f"meshConfig.discoverySelectors[0].matchLabels.{LABEL}": mesh,
    }


@asynccontextmanager
async def installed(api: KubeApi, cluster: Cluster, istioctl: Path, image: str) -> AsyncIterator[Mesh]:
    name = f"mesh-{secrets.token_hex(4)}"
    settings = IstioSettings(
        kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), istioctl=str(istioctl), istio_namespace=name
    )
    await make(api, "/api/v1/namespaces", {"metadata": {"name": name, "labels": {LABEL: name}}})
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        told = await ToolCaller(client).ok(
            "istio_install_istio",
            profile="minimal",
            revision=name,
            set=settings_of(name, image),
            timeout_seconds=whole(300),
        )
    service = await api.get(f"/api/v1/namespaces/{name}/services/istiod-{name}")
    mesh = Mesh(name, name, service["spec"]["clusterIP"], image, settings, told)
    try:
        yield mesh
    finally:
        await remove(api, name)


async def remove(api: KubeApi, mesh: str) -> None:
    """A control plane with its namespace. `istioctl uninstall` finds no revision without webhooks."""
    await api.send("DELETE", f"/api/v1/namespaces/{mesh}")
    for kind in ("clusterrolebindings", "clusterroles"):
        path = f"/apis/rbac.authorization.k8s.io/v1/{kind}"
        for role in (await api.get(path))["items"]:
            if role["metadata"]["name"].endswith(f"-{mesh}"):
                await api.send("DELETE", f"{path}/{role['metadata']['name']}")


async def member(api: KubeApi, mesh: Mesh) -> str:
    """A new namespace that the mesh sees."""
    labels = {LABEL: mesh.namespace}
    made = await make(api, "/api/v1/namespaces", {"metadata": {"generateName": "istio-member-", "labels": labels}})
    return str(made["metadata"]["name"])


CHARTS = {
    "base": "base",
    "istiod": "istio-control/istio-discovery",
    "cni": "istio-cni",
    "ztunnel": "ztunnel",
}


def chart_settings(settings: IstioSettings, helm: Path, folder: Path, namespace: str) -> IstioSettings:
    """Of a machine without istioctl, but with helm and Istio's charts."""
    charts = folder / "charts" / "istio"
    for name, path in CHARTS.items():
        source = module("istio.io/istio") / "manifests/charts" / path
        shutil.copytree(source, charts / name, copy_function=shutil.copyfile)
    update = {
        "istioctl": "/nowhere/istioctl",
        "helm": str(helm),
        "chart_directory": str(charts.parent),
        "istio_charts": "istio",
        "istio_namespace": namespace,
    }
    return settings.model_copy(update=update)
