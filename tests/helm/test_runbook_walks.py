"""The runbooks of the Helm server are followed on a release whose upgrade fails, and past which somebody works."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.runbooks.walking import Walk
from tests.slowness import scaled

pytestmark = pytest.mark.cluster
WEB = str(CHARTS / "web")
MERGE = "application/merge-patch+json"


async def test_roll_back_release(tools: ToolCaller, cli: Cli, namespace: str, tmp_path: Path) -> None:
    cli("install", "-n", namespace, "one", WEB)
    cli("upgrade", "-n", namespace, "one", WEB, "--set", "greeting=broken")
    walk = Walk("roll-back-release", tools, release="one", namespace=namespace)
    await walk.step(1, "superseded", "revision", "updated", "description")
    assert "broken" in await walk.step(2, "values", older_revision=1)
    assert "broken" not in await walk.step(2, "values", call=1, older_revision=1)
    told = await walk.step(3, "diff", older_revision=1)
    assert any(line.startswith("-") and "broken" in line for line in told.splitlines())
    await walk.change(3, older_revision=1)
    assert "Rollback to 1" in await walk.step(5, "deployed")
    walk.end()


@pytest.fixture
async def both(settings: HelmSettings, cluster: Cluster) -> AsyncIterator[ToolCaller]:
    """The Helm server and the Kubernetes server in one process."""
    process = Process.of(patient(approval="off"))
    kubernetes = KubernetesSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    servers = [ConfiguredServer(SERVER, settings, process), ConfiguredServer(KUBERNETES, kubernetes, process)]
    async with Client(compose("both", servers, None)) as client:
        yield ToolCaller(client)


async def test_who_changed_this(both: ToolCaller, cli: Cli, api: KubeApi, namespace: str) -> None:
    cli("install", "-n", namespace, "one", WEB, "--set", "replicas=1")
    change = {"spec": {"template": {"metadata": {"annotations": {"shift": "night"}}}}}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/one"
    await api.send("PATCH", path, (("fieldManager", "night-shift"),), change, MERGE)
    walk = Walk("who-changed-this", both, kind="deployment", name="one", namespace=namespace)
    told = await walk.step(1, "managedFields", "manager", "time", "helm")
    theirs = told.partition("manager: night-shift")[2].partition("- manager:")[0]
    assert "f:shift" in theirs
    assert "meta.helm.sh/release-name: one" in told
    history = await walk.step(2, "updated", release="one", release_namespace=namespace)
    assert "Install complete" in history
    await walk.step(3, "ScalingReplicaSet")
    await walk.step(4, "created", "revision")
    walk.end()
