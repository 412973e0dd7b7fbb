"""A canary from image to image with these tools only; every state is what the plugin prints."""

import time
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.argo.install import SLEEPER, Plugin
from tests.argo.making import analysis, canary, rollout, rollouts_path, service
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.slowness import whole
from tests.waiting import until

pytestmark = pytest.mark.pods
STEPS: tuple[dict[str, Any], ...] = (
    {"setWeight": 50},
    {"pause": {}},
    {"analysis": {"templates": [{"templateName": "works"}]}},
    {"pause": {}},
)
NUDGE_SECONDS = 15
COLUMNS = {
    "STRATEGY": "strategy",
    "STATUS": "status",
    "STEP": "step",
    "SET-WEIGHT": "set_weight",
    "DESIRED": "desired",
    "READY": "ready",
    "UP-TO-DATE": "up_to_date",
    "AVAILABLE": "available",
}


class Watched:
    """A rollout, looked at through the server and through the plugin."""

    def __init__(self, tools: ToolCaller, plugin: Plugin, api: KubeApi, namespace: str, name: str) -> None:
        self.tools, self.plugin, self._api, self.namespace, self.name = tools, plugin, api, namespace, name
        self._patience = time.monotonic() + NUDGE_SECONDS

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self.tools.ok(tool, rollout_name=self.name, namespace=self.namespace, **arguments)

    async def reaches(self, status: str, step: str | None = None) -> dict[str, Any]:
        """Its details once it is there for server and plugin alike."""
        seen = await until(
            self._look,
            lambda seen: (
                seen[0]["rollout"]["status"] == status
                and seen[1] == seen[2]
                and step in (None, seen[0]["rollout"].get("step"))
            ),
            120,
            f"{status} at step {step}, as the plugin has it",
        )
        return seen[0]

    async def _look(self) -> tuple[dict[str, Any], Any, Any]:
        row = self.plugin.row(self.name)
        row["READY"] = row["READY"].partition("/")[0]
        theirs = (row, self.plugin.status(self.name))
        details = await self.call("argo_get_rollout")
        await self._nudge(details["rollout"].get("message", ""))
        return details, self._ours(details["rollout"]), theirs

    async def _nudge(self, message: str) -> None:
        """The controller (1.9) may write an older state over a newer one in its cache, and then wait for a change."""
        now = time.monotonic()
        if message != "waiting for rollout spec update to be observed":
            self._patience = now + NUDGE_SECONDS
        elif now > self._patience:
            self._patience = now + NUDGE_SECONDS
            body = {"metadata": {"annotations": {"nudged": str(now)}}}
            path = rollouts_path(self.namespace, self.name)
            await self._api.send("PATCH", path, (), body, content_type="application/merge-patch+json")

    def _ours(self, row: dict[str, Any]) -> tuple[dict[str, str], str]:
        ended = row["status"] in ("Healthy", "Degraded")
        told = row["status"] if ended else f"{row['status']} - {row.get('message', '')}"
        columns = {column: str(row.get(field, "-")) for column, field in COLUMNS.items()}
        return {"NAME": row["name"], **columns}, told


@pytest.fixture
def web(tools: ToolCaller, plugin: Plugin, api: KubeApi, namespace: str, controller: None) -> Watched:
    return Watched(tools, plugin, api, namespace, "web")


async def test_a_canary_is_promoted_step_by_step_aborted_retried_and_undone(
    web: Watched, api: KubeApi, namespace: str
) -> None:
    await make(api, rollouts_path(namespace, plural="analysistemplates"), analysis("works", ["/busybox", "true"]))
    await make(api, rollouts_path(namespace), rollout("web", canary(*STEPS)))
    await web.reaches("Healthy", "4/4")
    await _promote_to_the_end(web)
    await _abort_and_retry(web)
    await _undo(web)


async def _promote_to_the_end(web: Watched) -> None:
    change = await web.call("argo_set_rollout_image", container_image=f"main={SLEEPER}:2")
    assert change["images"] == [{"container": "main", "from": f"{SLEEPER}:1", "to": f"{SLEEPER}:2"}]
    assert change["target"] == "rollout"
    assert f"+      - image: {SLEEPER}:2" in change["diff"] or f"{SLEEPER}:2" in change["diff"]
    assert "warnings" not in change
    paused = await web.reaches("Paused", "1/4")
    assert paused["rollout"]["message"] == "CanaryPauseStep"
    assert paused["rollout"]["set_weight"] == 50
    assert paused["pause_conditions"][0].startswith("CanaryPauseStep since ")
    assert [step.get("current", False) for step in paused["steps"]] == [False, True, False, False]
    assert {each["role"]: each["images"] for each in paused["replica_sets"]} == {
        "canary": [f"{SLEEPER}:2"],
        "stable": [f"{SLEEPER}:1"],
    }
    rehearsed = await web.call("argo_promote_rollout", dry_run=True)
    assert rehearsed["dry_run"] is True
    assert rehearsed["patches"] == [{"status": {"pauseConditions": None}}]
    assert (await web.reaches("Paused", "1/4"))["rollout"]["step"] == "1/4"
    promoted = await web.call("argo_promote_rollout")
    assert promoted["from_step"] == "1/4"
    analysed = await web.reaches("Paused", "3/4")
    (run,) = analysed["analysis_runs"]
    assert run["phase"] == "Successful"
    assert [(each["name"], each["successful"]) for each in run["metrics"]] == [("works", 1)]
    await web.call("argo_promote_rollout")
    healthy = await web.reaches("Healthy", "4/4")
    assert [each["revision"] for each in healthy["replica_sets"]] == [2, 1]
    nothing = await web.call("argo_promote_rollout")
    assert (nothing["patches"], nothing["changed"]) == ([], False)
    assert "nothing to promote" in nothing["hint"]


async def _abort_and_retry(web: Watched) -> None:
    await web.call("argo_set_rollout_image", container_image=f"*={SLEEPER}:3")
    await web.reaches("Paused", "1/4")
    aborted = await web.call("argo_rollout_action", action="abort")
    assert (aborted["result"], aborted["patch"]) == ("aborted", {"status": {"abort": True}})
    degraded = await web.reaches("Degraded")
    assert degraded["aborted"] is True
    assert "RolloutAborted" in degraded["rollout"]["message"]
    assert "action=retry" in degraded["hint"]
    refused = await web.tools.fails("argo_promote_rollout", rollout_name="web", namespace=web.namespace)
    assert refused["code"] == "conflict"
    assert "action=retry" in refused["hint"]
    await web.call("argo_rollout_action", action="retry")
    await web.reaches("Paused", "1/4")
    again = await web.tools.fails("argo_rollout_action", rollout_name="web", namespace=web.namespace, action="retry")
    assert again["code"] == "conflict"
    full = await web.call("argo_promote_rollout", full=True)
    assert full["patches"] == [{"status": {"promoteFull": True}}]
    await web.reaches("Healthy", "4/4")


async def _undo(web: Watched) -> None:
    missing = await web.tools.fails(
        "argo_rollout_action", rollout_name="web", namespace=web.namespace, action="undo", to_revision=9
    )
    assert missing["code"] == "not_found"
    assert "3, 2, 1" in missing["hint"]
    undone = await web.call("argo_rollout_action", action="undo")
    assert undone["result"] == "rolled back to revision 2"
    assert f"{SLEEPER}:2" in undone["diff"]
    await web.reaches("Paused", "1/4")
    await web.call("argo_promote_rollout", full=True)
    healthy = await web.reaches("Healthy", "4/4")
    assert healthy["rollout"]["images"] == [f"{SLEEPER}:2"]
    same = await web.call("argo_rollout_action", action="undo", to_revision=4)
    assert same["changed"] is False
    assert "already" in same["result"]


async def test_pausing_and_resuming_by_hand(web: Watched, api: KubeApi, namespace: str) -> None:
    await make(api, rollouts_path(namespace), rollout("web", canary({"setWeight": 50}), replicas=1))
    await web.reaches("Healthy")
    assert (await web.call("argo_pause_rollout"))["changed"] is True
    paused = await web.reaches("Paused")
    assert paused["paused"] is True
    again = await web.call("argo_pause_rollout")
    assert (again["changed"], again["paused"]) == (False, True)
    assert (await web.call("argo_rollout_action", action="resume"))["patch"] == {"spec": {"paused": False}}
    await web.reaches("Healthy")
    assert (await web.call("argo_rollout_action", action="resume"))["changed"] is False
    restarted = await web.call("argo_rollout_action", action="restart")
    assert set(restarted["patch"]["spec"]) == {"restartAt"}
    waited = await web.call("argo_get_rollout", wait=True, timeout_seconds=whole(60))
    assert waited["rollout"]["status"] == "Healthy"
    nothing = await web.tools.fails("argo_rollout_action", rollout_name="web", namespace=namespace, action="abort")
    assert nothing["code"] == "conflict"


async def test_blue_green_tells_active_from_preview(web: Watched, api: KubeApi, namespace: str) -> None:
    for name in ("web-active", "web-preview"):
        await make(api, f"/api/v1/namespaces/{namespace}/services", service(name))
    strategy = {
        "blueGreen": {"activeService": "web-active", "previewService": "web-preview", "autoPromotionEnabled": False}
    }
    await make(api, rollouts_path(namespace), rollout("web", strategy, replicas=1))
    await web.reaches("Healthy")
    await web.call("argo_set_rollout_image", container_image=f"main={SLEEPER}:2")
    paused = await web.reaches("Paused")
    assert {each["role"]: each["images"] for each in paused["replica_sets"]} == {
        "preview": [f"{SLEEPER}:2"],
        "active": [f"{SLEEPER}:1"],
    }
    assert paused["rollout"]["strategy"] == "BlueGreen"
    assert "set_weight" not in paused["rollout"]
    await web.call("argo_promote_rollout")
    await web.reaches("Healthy")
