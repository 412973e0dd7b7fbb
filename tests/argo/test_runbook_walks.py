"""The runbooks of the Argo server are followed on a rollout whose analysis fails and on one that waits."""

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.argo.install import SLEEPER
from tests.argo.making import analysis, canary, rollout, rollouts_path
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.runbooks.walking import Walk
from tests.waiting import until

pytestmark = pytest.mark.pods


async def reaches(tools: ToolCaller, namespace: str, name: str, status: str) -> None:
    async def look() -> str:
        told = await tools.ok("argo_get_rollout", rollout_name=name, namespace=namespace)
        return str(told["rollout"]["status"])

    await until(look, lambda seen: seen == status, 120, f"{name} {status}")


async def test_stuck_rollout_and_canary_check(
    tools: ToolCaller, api: KubeApi, namespace: str, controller: None
) -> None:
    await make(api, rollouts_path(namespace, plural="analysistemplates"), analysis("works", ["/busybox", "false"]))
    failing = {"analysis": {"templates": [{"templateName": "works"}]}}
    await make(api, rollouts_path(namespace), rollout("web", canary({"setWeight": 50}, failing), replicas=1))
    await make(api, rollouts_path(namespace), rollout("shop", canary({"setWeight": 50}, {"pause": {}}), replicas=1))
    for name in ("web", "shop"):
        await reaches(tools, namespace, name, "Healthy")
    for name in ("web", "shop"):
        image = {"rollout_name": name, "namespace": namespace, "container_image": f"main={SLEEPER}:2"}
        await tools.ok("argo_set_rollout_image", **image)
    await _canary_check(tools, namespace)
    await _stuck_rollout(tools, namespace)


async def _canary_check(tools: ToolCaller, namespace: str) -> None:
    walk = Walk("canary-check", tools, rollout="shop", namespace=namespace)
    await walk.step(1, "CanaryPauseStep", "pause_conditions", "set_weight", "role: canary")
    await walk.step(2, "Degraded")
    await walk.step(3, "from_step", "to_step", "pauseConditions")
    await walk.step(4, "would be aborted")
    await walk.change(3)
    await walk.step(6, "Healthy")
    walk.end()


async def _stuck_rollout(tools: ToolCaller, namespace: str) -> None:
    walk = Walk("stuck-rollout", tools, rollout="web", namespace=namespace)
    await walk.step(1, "RolloutAborted", "analysis_runs", "Failed")
    await walk.step(2, "healthy: true")
    await walk.step(3, "Degraded")
    assert f"{SLEEPER}:1" in await walk.step(4, "would be rolled back", "diff")
    assert "rolled back" in await walk.change(4)
    await walk.step(5, "Healthy")
    walk.end()
