"""Rollouts as the plugin shows and changes them (A2 to A7), with the real controller where it has a part in it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_argo.rollouts import image_patch, promotion_patch, rollout_status
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.api import KubeApi
from tests.argo.install import SLEEPER, Plugin
from tests.argo.making import analysis, canary, experiment, rollout, rollouts_path, template
from tests.kubernetes.making import make, pods_path
from tests.mcp import ToolCaller
from tests.slowness import whole
from tests.waiting import until

MERGE = "application/merge-patch+json"


def seen(found: dict[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {"namespace": "x", "generation": 1, "resourceVersion": "1", **found["metadata"]}
    return {**found, "metadata": metadata, "status": {"observedGeneration": "1", "phase": "Healthy", **status}}


@pytest.mark.parametrize(
    ("noted", "live", "observed", "state"),
    [
        ("2", None, "2", "Healthy"),
        ("3", None, "2", "Progressing"),
        (None, 3, "2", "Progressing"),
        ("2", 2, "2", "Healthy"),
        (None, None, "2", "Healthy"),
        (None, 3, "", "Healthy"),
        ("x", None, "2", "Healthy"),
    ],
)
def test_generations_of_the_workload_count(noted: str | None, live: int | None, observed: str, state: str) -> None:
    found = seen(rollout("web", canary({"setWeight": 20})), workloadObservedGeneration=observed)
    found["metadata"]["annotations"] = {"rollout.argoproj.io/workload-generation": noted} if noted else {}
    assert rollout_status.phase(found, live)[0] == state


def test_an_aborted_rollout_is_promoted_to_the_end_but_not_to_the_next_step() -> None:
    found = seen(rollout("web", canary({"pause": {}})), abort=True, stableRS="a", currentPodHash="b", phase="Degraded")
    assert promotion_patch.promotion(found, full=True).patches == [{"status": {"promoteFull": True}}]
    with pytest.raises(ToolFailure) as caught:
        promotion_patch.promotion(found, full=False)
    assert "full=true" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("strategy", "spec", "status", "expected"),
    [
        (canary({"pause": {}}), {}, {"pauseConditions": [{"reason": "CanaryPauseStep"}], "currentStepIndex": 0}, True),
        (
            canary({"pause": {"duration": "1m"}}),
            {},
            {"pauseConditions": [{"reason": "CanaryPauseStep"}], "currentStepIndex": 0},
            False,
        ),
        (canary(), {"paused": True}, {}, True),
        (canary(), {}, {"pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}, True),
        ({"blueGreen": {}}, {}, {"pauseConditions": [{"reason": "BlueGreenPause"}]}, True),
        ({"blueGreen": {"autoPromotionSeconds": 9}}, {}, {"pauseConditions": [{"reason": "BlueGreenPause"}]}, False),
        (canary(), {}, {}, False),
    ],
)
def test_a_pause_that_only_a_person_ends(strategy: Any, spec: Any, status: Any, expected: bool) -> None:
    found = seen(rollout("web", strategy), **status)
    found["spec"] |= spec
    assert rollout_status.is_paused_for_good(found) is expected


TWO = rollout("web", canary())
TWO["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "s:1"})


@pytest.mark.parametrize("text", ["main=m:9,side=s:9", "main=m:9 side=s:9", " side=s:9 , main=m:9 ", "*=s:9,main=m:9"])
def test_several_images_are_set_at_once(text: str) -> None:
    rows, _ = image_patch.changes(seen(TWO), image_patch.assignments(text, TWO))
    assert {row.container: row.to for row in rows} == {"main": "m:9", "side": "s:9"}


@pytest.mark.parametrize(
    "text", ["main=m:9,side", "main=m:9,main=m:8", "main==m", "main=m:9,=x", "", ",", "main=-x", "main=a=b"]
)
def test_what_is_not_one_image_each_is_refused(text: str) -> None:
    with pytest.raises(ToolFailure):
        image_patch.assignments(text, TWO)


@given(
    st.dictionaries(
        st.sampled_from(["main", "side"]),
        st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?:[0-9]{1,3}", fullmatch=True),
        min_size=1,
    )
)
def test_every_assignment_is_kept(wanted: dict[str, str]) -> None:
    text = ",".join(f"{name}={image}" for name, image in wanted.items())
    assert image_patch.assignments(text, TWO) == wanted


@pytest.mark.pods
async def test_waiting_ends_at_a_pause_and_an_abort_is_promoted(
    tools: ToolCaller, api: KubeApi, plugin: Plugin, namespace: str, controller: None
) -> None:
    await make(api, rollouts_path(namespace), rollout("web", canary({"setWeight": 50}, {"pause": {}}), replicas=1))
    about = {"rollout_name": "web", "namespace": namespace}
    healthy = await tools.ok("argo_get_rollout", **about, wait=True, timeout_seconds=whole(60))
    assert healthy["rollout"]["status"] == "Healthy"
    rehearsed = await tools.ok("argo_set_rollout_image", **about, container_image=f"main={SLEEPER}:2", dry_run=True)
    assert rehearsed["dry_run"] is True
    await tools.ok("argo_set_rollout_image", **about, container_image=f"main={SLEEPER}:2")
    paused = await tools.ok("argo_get_rollout", **about, wait=True, timeout_seconds=whole(600))
    assert (paused["rollout"]["status"], paused.get("timed_out")) == ("Paused", None)
    told = plugin.run("get", "rollout", "web", "--no-color")
    assert re.findall(r"(?:Set|Actual)Weight: +(\d+)", told) == [
        str(paused["rollout"]["set_weight"]),
        str(paused["actual_weight"]),
    ]
    would = await tools.ok("argo_rollout_action", **about, action="abort", dry_run=True)
    assert would["result"] == "would be aborted"
    await tools.ok("argo_rollout_action", **about, action="abort")
    await until(lambda: tools.ok("argo_get_rollout", **about), lambda found: found["rollout"]["status"] == "Degraded")
    await tools.ok("argo_promote_rollout", **about, full=True)
    done = await tools.ok("argo_get_rollout", **about, wait=True, timeout_seconds=whole(60))
    assert (done["rollout"]["status"], done["rollout"]["images"]) == ("Healthy", [f"{SLEEPER}:2"])
    held = await tools.ok("argo_pause_rollout", **about, dry_run=True)
    assert (held["paused"], "action=resume" in held["hint"]) == (False, True)


@pytest.mark.pods
async def test_a_running_experiment_is_not_started_anew(
    tools: ToolCaller, api: KubeApi, namespace: str, controller: None
) -> None:
    await make(api, rollouts_path(namespace, plural="experiments"), experiment("trial", "1h"))
    about = {"rollout_name": "trial", "namespace": namespace, "action": "retry_experiment"}
    error = await tools.fails("argo_rollout_action", **about)
    assert (error["code"], "has not ended" in error["message"]) == ("conflict", True)


@pytest.mark.pods
async def test_an_experiment_that_aborted_a_rollout_is_shown_with_its_analysis(
    tools: ToolCaller, api: KubeApi, namespace: str, controller: None
) -> None:
    await make(api, rollouts_path(namespace, plural="analysistemplates"), analysis("fails", ["/busybox", "false"]))
    trial = {"name": "one", "specRef": "stable"}
    step = {"experiment": {"templates": [trial], "analyses": [{"name": "check", "templateName": "fails"}]}}
    await make(api, rollouts_path(namespace), rollout("web", canary(step), replicas=1))
    about = {"rollout_name": "web", "namespace": namespace}
    await tools.ok("argo_get_rollout", **about, wait=True, timeout_seconds=whole(60))
    await tools.ok("argo_set_rollout_image", **about, container_image=f"main={SLEEPER}:2")

    async def shown() -> dict[str, Any]:
        return await tools.ok("argo_get_rollout", **about)

    found = await until(shown, lambda found: found["rollout"]["status"] == "Degraded", 120, "the abort")
    (run,) = found["experiments"]
    assert run["phase"] == "Failed"
    assert [each["phase"] for each in run["analysis_runs"]] == ["Failed"]
    assert "analysis_runs" not in found


@pytest.mark.pods
async def test_arguments_of_older_callers_are_taken(tools: ToolCaller, namespace: str, controller: None) -> None:
    assert (await tools.ok("argo_check_plugin_logs", namespace=namespace, timeout="1"))["loaded"] is False


@pytest.mark.pods
async def test_a_canary_that_does_not_start_tells_why(
    tools: ToolCaller, api: KubeApi, namespace: str, controller: None
) -> None:
    """The rollout itself only says that it waits for pods."""
    await make(api, rollouts_path(namespace), rollout("web", canary({"setWeight": 50}, {"pause": {}}), replicas=1))
    about = {"rollout_name": "web", "namespace": namespace}
    healthy = await tools.ok("argo_get_rollout", **about, wait=True, timeout_seconds=whole(60))
    assert "pods" not in healthy
    await tools.ok("argo_set_rollout_image", **about, container_image=f"main={SLEEPER}:no-such-version")
    seen = await until(lambda: tools.ok("argo_get_rollout", **about), lambda found: "pods" in found, what="the reason")
    assert len(seen["pods"]) == 1
    assert "ImagePull" in seen["pods"][0]
    assert "no-such-version" in seen["pods"][0]


@pytest.mark.pods
async def test_pods_of_others_are_not_those_of_a_rollout_that_references_its_workload(
    tools: ToolCaller, api: KubeApi, namespace: str, controller: None
) -> None:
    """It has no selector of its own: neither the failing pods beside it nor those of its Deployment are its own."""
    alone = template("other", "no-such-other")
    await make(api, pods_path(namespace), {**alone, "metadata": {**alone["metadata"], "name": "other"}})
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "no-such-version")}
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    referencing = rollout("web", canary({"setWeight": 50}), replicas=1)
    for field in ("template", "selector"):
        del referencing["spec"][field]
    referencing["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await make(api, rollouts_path(namespace), referencing)

    def waiting(found: dict[str, Any]) -> bool:
        statuses = [each for pod in found["items"] for each in pod["status"].get("containerStatuses", ())]
        return (
            len([each for each in statuses if "ImagePull" in each["state"].get("waiting", {}).get("reason", "")]) == 3
        )

    listed = await until(lambda: api.get(pods_path(namespace)), waiting, 120, "three pods without an image")
    owned = [pod for pod in listed["items"] if "rollouts-pod-template-hash" in pod["metadata"]["labels"]]
    seen = await tools.ok("argo_get_rollout", rollout_name="web", namespace=namespace)
    assert [line.partition(":")[0] for line in seen["pods"]] == [owned[0]["metadata"]["name"]]
    assert "no-such-version" in seen["pods"][0]
