"""The progress of a rollout, and what an object owns."""

import json
from typing import Any

from fastmcp import Client
from playwright.async_api import Browser, expect

from tests.apps.hosting import hosted
from tests.apps.mesh_metrics import EVIL
from tests.apps.recorded import ROLLOUT, TREE, result
from tests.apps.test_plot import HARM, TIMED, texts
from tests.slowness import scaled

ROLLOUTS, TREES = "ui://kmcp/argo/rollout", "ui://kmcp/kubernetes/tree"


async def test_a_canary_is_shown_with_weight_steps_pods_and_analysis(browser: Browser, argo: Client[Any]) -> None:
    async with hosted(browser, argo, ROLLOUTS) as view:
        await view.deliver({"rollout_name": "checkout"}, result(ROLLOUT))
        await expect(view.frame.locator("h1")).to_have_text("checkout shop")
        await expect(view.frame.locator(".badge").first).to_have_text("Paused")
        await expect(view.frame.get_by_role("img")).to_have_attribute(
            "aria-label", "stable 60 percent, canary 40 percent"
        )
        assert [text.replace("\n", "") for text in await texts(view, ".steps .done bdi")] == [
            "setWeight: 20",
            "pause: 5m",
            "setWeight: 40",
        ]
        await expect(view.frame.locator("[aria-current=step]")).to_contain_text("pause")
        rows = [row.replace("\n", "").split("\t") for row in await texts(view, "[aria-label=Revisions] tbody tr")]
        assert rows[0] == ["7", "canary", "1 of 2 ready", "registry.example.com/shop/checkout:1.9.0"]
        await expect(view.frame.locator("[aria-label=Analysis] tbody")).to_contain_text("4 successful, 1 failed")
        await expect(view.frame.locator("#notes")).to_contain_text("argo_promote_rollout rollout_name=checkout")


async def test_a_rollout_that_is_through_has_one_version(browser: Browser, argo: Client[Any]) -> None:
    row = ROLLOUT.rollout.model_copy(update={"status": "Healthy", "step": "6/6", "set_weight": 100})
    stable = [one.model_copy(update={"role": "stable"}) for one in ROLLOUT.replica_sets[:1]]
    steps = [step.model_copy(update={"current": None}) for step in ROLLOUT.steps or ()]
    done = ROLLOUT.model_copy(update={"rollout": row, "replica_sets": stable, "steps": steps})
    async with hosted(browser, argo, ROLLOUTS) as view:
        await view.deliver({}, result(done))
        await expect(view.frame.locator(".key")).to_contain_text("stable 100 %")
        await expect(view.frame.locator(".steps .done")).to_have_count(6)
        await expect(view.frame.locator("[aria-current=step]")).to_have_count(0)


async def test_a_rollout_that_means_harm_is_text(browser: Browser, argo: Client[Any]) -> None:
    async with hosted(browser, argo, ROLLOUTS, width=360) as view:
        body = json.dumps(ROLLOUT.model_dump(mode="json", exclude_none=True))
        for word in ("checkout", "CanaryPauseStep", "success-rate", "setWeight", "Paused"):
            body = body.replace(word, json.dumps(EVIL)[1:-1])
        await view.deliver({}, result(json.loads(body)))
        await expect(view.frame.locator("h1")).to_contain_text("<img src=x")
        await expect(view.frame.locator("h1")).to_contain_text("\ufffdgnp.exe")
        for data in ({}, {"rollout": 5, "steps": [1], "replica_sets": [{"replicas": 1e9, "ready": -1}, None]}):
            await view.deliver({}, result(data))
        assert await view.frame.evaluate(HARM) == [None, 0, 1, 1]
        await expect(view.frame.locator(".pods i")).to_have_count(30)


async def test_a_tree_has_owners_health_and_reasons(browser: Browser, kubernetes: Client[Any]) -> None:
    async with hosted(browser, kubernetes, TREES) as view:
        await view.deliver({}, result(TREE))
        await expect(view.frame.locator("h1")).to_have_text("Deployment checkout shop")
        pods = view.frame.locator("details details li")
        await expect(pods).to_have_count(2)
        await expect(pods.nth(1)).to_contain_text("CrashLoopBackOff, exit code 1, 3 restarts")
        await expect(view.frame.locator(".facts")).to_contain_text("1 degraded")
        await view.frame.get_by_label("Only what is not well").check()
        await expect(view.frame.locator(".tree .leaf")).to_have_count(1)
        await view.frame.get_by_label("Only what is not well").press("Space")
        await view.frame.locator("summary").first.press("Enter")
        await expect(pods.first).to_be_hidden()


async def test_a_tree_that_means_harm_is_text(browser: Browser, kubernetes: Client[Any]) -> None:
    rows: list[Any] = [{"level": -5, "kind": EVIL, "name": "long" * 2500, "health": EVIL, "reason": EVIL}]
    rows += [None, {"level": 9}, {"level": "x"}, *({"level": 99, "kind": "Pod", "name": "x"} for _ in range(200))]
    async with hosted(browser, kubernetes, TREES, width=360) as view:
        await view.deliver({}, result({"items": rows, "namespace": EVIL}))
        await expect(view.frame.locator("summary").first).to_contain_text("<img src=x")
        assert await view.frame.evaluate(HARM) == [None, 0, 1, 1]
        await view.deliver({}, result({"items": []}))
        await expect(view.frame.locator("#body")).to_contain_text("Nothing to show.")


async def test_a_thousand_objects_are_drawn_at_once(browser: Browser, kubernetes: Client[Any]) -> None:
    rows = [{"level": 0, "kind": "Namespace", "name": "shop"}]
    rows += [{"level": 1 + n % 3, "kind": "Pod", "name": f"pod-{n}", "health": "healthy"} for n in range(1_000)]
    async with hosted(browser, kubernetes, TREES) as view:
        await view.frame.evaluate(TIMED)
        await view.deliver({}, result({"items": rows, "truncated": True, "total": 5_000}))
        await expect(view.frame.locator(".tree li")).to_have_count(1_001)
        await expect(view.frame.locator("#notes")).to_contain_text("1,001 of 5,000")
        spent = await view.frame.evaluate("Math.max(0, ...window.stalls)")
        assert spent < scaled(0.5) * 1000, json.dumps(spent)
