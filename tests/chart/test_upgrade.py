"""`helm upgrade` from the chart as it was before rights per namespace: nothing immutable changes, nothing is lost."""

import asyncio
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.chart.rendering import CHART, Chart, HelmError, Object
from tests.cluster.model import Cluster

BEFORE = "ddfe7e3e59d667d3c5d0770072ed11c11b140641"
"""The last commit with that chart."""
MCPSERVERS = "/apis/kagent.dev/v1alpha1/namespaces/{0}/mcpservers"
ODD: Object = {
    "fullnameOverride": "tools",
    "approvalLedger": "lease",
    "servers": {
        "kubernetes": {"rbac": "full", "deployment": {"replicas": 2, "resources": {"limits": {"cpu": None}}}},
        "cilium": {"enabled": True, "values": {"KMCP_CILIUM_NAMESPACE": "{namespace}"}},
        "istio": {"enabled": True, "rbac": "full", "values": {"ISTIO_NAMESPACE": "{namespace}"}},
        "helm": {"enabled": True},
        "clock": {"enabled": True},
    },
    "composed": {"enabled": True},
    "catalog": {"http": {"auth": "kubernetes"}},
    "controller": {"replicaCount": 0},
}
DEFAULTS: Object = {"controller": {"replicaCount": 0}}  # whose pods would find no image here


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = subprocess.run(["git", "archive", BEFORE, str(CHART)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the chart of {BEFORE[:8]} is not in this checkout's history; fetch it whole")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / CHART


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (DEFAULTS, DEFAULTS),
        (ODD, ODD),
        (DEFAULTS, {**DEFAULTS, "rbac": {"namespaces": ["{namespace}"], "serverRoles": "bind"}}),
    ],
    ids=["defaults", "odd", "to namespaces"],
)
async def test_a_release_of_the_chart_before_is_upgraded(
    api: KubeApi, cluster: Cluster, namespace: str, chart: Chart, before: Path, tmp_path: Path, old: Object, new: Object
) -> None:
    async def helm(*arguments: str) -> None:
        variables = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)}
        await asyncio.to_thread(chart.run, *arguments, "-n", namespace, **variables)

    files = []
    for name, values in (("old", old), ("new", new)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(values).replace("{namespace}", namespace))
    await helm("install", namespace, str(before), "--values", str(files[0]), "--skip-crds")
    try:
        own = {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": {"name": "mine"}}
        await apply(api, {**own, "spec": {"transportType": "http", "deployment": {"image": "a"}}}, namespace)
        kept = {each["metadata"]["name"]: each["metadata"]["uid"] for each in await items(api, namespace)}
        name = old.get("fullnameOverride", f"{namespace}-kmcp")
        key = (await api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}-state"))["data"]
        # Values of the chart before say nothing of what is new, and nothing may stand for off.
        with pytest.raises(HelmError, match=r"missing properties?.*tenants"):
            await helm("upgrade", namespace, str(CHART), "--reuse-values")
        await helm("upgrade", namespace, str(CHART), "--values", str(files[1]))
        after = {each["metadata"]["name"]: each["metadata"]["uid"] for each in await items(api, namespace)}
        assert after == kept, "each is the one that it was"
        assert (await api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}-state"))["data"] == key
        await helm("rollback", namespace, "1")
        await helm("upgrade", namespace, str(CHART), "--values", str(files[1]), "--reset-values")
    finally:
        await helm("uninstall", namespace)


async def items(api: KubeApi, namespace: str) -> list[Object]:
    found: list[Object] = (await api.get(MCPSERVERS.format(namespace)))["items"]
    return found
