"""What a node's pods have asked for, beside `kubectl describe node`: sidecars, init containers, whole pods, devices."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.quantities import number, readable_bytes
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.descriptions.test_descriptions import kubectl_run
from tests.kubernetes.making import make, pods_path
from tests.kubernetes.places import MERGE
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster
Object = dict[str, Any]
_ALLOCATABLE = {
    "cpu": "4",
    "memory": "4Gi",
    "pods": "20",
    "ephemeral-storage": "10Gi",
    "hugepages-2Mi": "64Mi",
    "example.com/gpu": "4",
}
_ROW = re.compile(r"^  (\S+) +(\S+)(?: \((\d+)%\))? +(\S+)(?: \((\d+)%\))?$", re.MULTILINE)


def _resources(requests: Mapping[str, str], limits: Mapping[str, str] | None = None) -> Object:
    return {"requests": dict(requests), "limits": dict(limits or requests)}


def _container(name: str, resources: Object, **more: Any) -> Object:
    return {"name": name, "image": "none", "resources": resources, **more}


def _pods(node: str) -> list[Object]:
    """Each way in which a pod can ask for more than the sum of its containers."""
    sidecar = _container("side", _resources({"cpu": "200m", "memory": "100Mi"}), restartPolicy="Always")
    early = _container("early", _resources({"cpu": "1", "memory": "32Mi"}))
    late = _container("late", _resources({"cpu": "10m", "memory": "1Gi"}))
    main = _container("main", _resources({"cpu": "50m", "memory": "10Mi", "ephemeral-storage": "1Gi"}))
    huge = _resources({"hugepages-2Mi": "4Mi", "memory": "4Mi", "cpu": "1m"})
    device = _resources({"example.com/gpu": "3"})
    specs: dict[str, Object] = {
        "sidecar": {"initContainers": [early, sidecar, late], "containers": [main]},
        "whole": {"resources": _resources({"cpu": "100m", "memory": "50Mi"}, {"cpu": "150m", "memory": "60Mi"})},
        "huge": {"containers": [_container("main", huge)]},
        "device": {"containers": [_container("main", device)]},
    }
    return [pod(name, "none", nodeName=node, **spec) for name, spec in specs.items()]


@pytest.fixture
async def node(api: KubeApi, namespace: str) -> AsyncIterator[str]:
    """A node without a machine, with pods that are bound to it."""
    name = f"amounts-{namespace}"
    taint = {"key": "planted", "effect": "NoSchedule"}
    await make(api, "/api/v1/nodes", {"metadata": {"name": name}, "spec": {"taints": [taint], "unschedulable": True}})
    try:
        # The last that a machine said before it fell silent.
        silent = {"type": "MemoryPressure", "status": "Unknown", "lastHeartbeatTime": "2026-01-02T03:04:05Z"}
        reported = {"status": {"allocatable": _ALLOCATABLE, "capacity": _ALLOCATABLE, "conditions": [silent]}}
        await api.send("PATCH", f"/api/v1/nodes/{name}/status", (), reported, MERGE)
        for each in _pods(name):
            await make(api, pods_path(namespace), each)
        yield name
    finally:
        await api.send("DELETE", f"/api/v1/nodes/{name}")


async def test_the_sums_are_those_of_kubectl(
    tools: ToolCaller, cluster: Cluster, kubectl: Path, node: str, namespace: str
) -> None:
    found = await tools.ok("k8s_describe_resource", resource_type="node", resource_name=node)
    allocated = found["details"]["allocated"]
    assert {"type": "MemoryPressure", "lastHeartbeatTime": "2026-01-02T03:04:05Z"}.items() <= next(
        each for each in found["conditions"] if each["type"] == "MemoryPressure"
    ).items()
    told = await kubectl_run(kubectl, cluster, "describe", "node", node)
    rows = {row[0]: row[1:] for row in _ROW.findall(told.partition("Allocated resources:")[2])}
    for name in ("cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu"):
        for word, (amount, percent) in {"requests": rows[name][:2], "limits": rows[name][2:]}.items():
            assert allocated[f"{name}_{word}"].startswith(_as_shown(name, amount)), (name, word, allocated, rows[name])
            if percent:
                assert abs(int(allocated[f"{name}_{word}"].partition("(")[2].rstrip("%)")) - int(percent)) <= 1
    # A DaemonSet of another test may tolerate every taint.
    [pods] = re.findall(r"Non-terminated Pods: +\((\d+) in total", told)
    assert allocated["pods"] == f"{pods} of 20"


def _as_shown(name: str, amount: str) -> str:
    if name == "cpu":
        return f"{round(number(amount) * 1000)}m"
    return amount if "/" in name else readable_bytes(round(number(amount)))
