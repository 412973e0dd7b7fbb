"""`kmcp-suite top --cluster`: metrics of pods through the API server, with the rights that it takes."""

import asyncio
import json
import subprocess
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.installed import SUITE
from tests.kubernetes.making import make, pod_when
from tests.slowness import scaled
from tests.waiting import until

METRICS = """\
kmcp_tool_calls_total{server="clock",tool="now",effect="read",outcome="ok"} 3
kmcp_tool_calls_total{server="clock",tool="now",effect="read",outcome="bad_argument"} 1
kmcp_tool_errors_total{server="clock",tool="now",code="bad_argument"} 1
kmcp_tool_duration_seconds_bucket{server="clock",tool="now",le="0.5"} 4
kmcp_tool_duration_seconds_bucket{server="clock",tool="now",le="+Inf"} 4
"""


@pytest.mark.pods
async def test_every_pod_of_a_server_is_read_and_others_are_not(cluster: Cluster, api: KubeApi, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    ours = {"app.kubernetes.io/managed-by": "kmcp"}
    for name, labels in (("one", ours), ("two", ours), ("other", {})):
        await make(api, pods, _pod(cluster.image, name, labels))
    for name in ("one", "two"):
        await pod_when(api, namespace, name, lambda found: found["status"]["phase"] == "Running", "a running pod")

    async def look() -> dict[str, Any]:
        done = await asyncio.to_thread(_top, cluster, "--namespace", namespace, "--once", "--json")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"faults": done.stderr}
        return found

    found = await until(look, lambda seen: seen["faults"] == {}, what="metrics of both pods")
    (row,) = found["tools"]
    assert (row["calls"], row["errors"], row["p50Seconds"]) == (8, 2, 0.25)
    nothing = await asyncio.to_thread(_top, cluster, "--namespace", "kube-node-lease", "--once")
    assert nothing.returncode == 3
    assert "no pod of a server of the suite runs in namespace kube-node-lease" in nothing.stderr


def _pod(image: str, name: str, labels: dict[str, str]) -> dict[str, object]:
    script = f"mkdir /tmp/www; cat > /tmp/www/metrics <<'END'\n{METRICS}END\nexec httpd -f -p 8081 -h /tmp/www"
    container = {
        "name": "server",
        "image": image,
        "command": ["sh", "-c", script],
        "ports": [{"name": "management", "containerPort": 8081}],
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


def _top(cluster: Cluster, *flags: str) -> "subprocess.CompletedProcess[str]":
    argv = [SUITE, "top", "--cluster", "--kubeconfig", str(cluster.kubeconfig), *flags]
    return subprocess.run(argv, capture_output=True, text=True, timeout=scaled(60), check=False)
