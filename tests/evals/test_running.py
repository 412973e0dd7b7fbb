"""A handful of tasks on the real cluster, by script and by a client: what is wrong is seen, nothing is left behind."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from evals import figures, place
from evals import world as worlds
from evals.__main__ import main
from evals.running import CLIENT, Way, run_task
from evals.task import Look, Step, load
from evals.world import World, world_of
from kmcp_runtime.kube.api import KubeApi
from tests.cluster import environment
from tests.cluster.model import Cluster
from tests.slowness import scaled
from tests.waiting import until

TASKS = {task.name: task for task in load()}
FEW = ("delete-needs-a-yes", "log-names-the-fault", "scale-up-by-half")
CHECKOUT = Path(__file__).parents[2]
_CLIENT = """
import asyncio, os, re, sys
from fastmcp import Client
async def main():
    namespace = re.search(r"eval-[0-9a-f]+", sys.stdin.read())[0]
    async with Client(os.environ["KMCP_EVAL_URL"]) as client:
        answer = await client.call_tool("k8s_get_pod_logs", {"pod_name": "calc", "namespace": namespace})
        print(answer.content[0].text)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world_of(cluster, tmp_path_factory.mktemp("evals"), ["kubernetes"]) as found:
        yield found


@pytest.mark.pods
@pytest.mark.parametrize("name", FEW)
async def test_the_reference_script_does_the_task(world: World, name: str) -> None:
    outcome = await run_task(TASKS[name], world, Way())
    assert outcome.faults == []
    assert outcome.cost.calls >= 1
    assert outcome.cost.tokens > 0


@pytest.mark.pods
async def test_a_clients_work_is_judged_counted_and_ended(world: World, tmp_path: Path) -> None:
    task = TASKS["log-names-the-fault"]
    script = tmp_path / "client.py"
    script.write_text(_CLIENT)
    good = await run_task(task, world, Way(CLIENT, f"{sys.executable} {script}", scaled(60)))
    assert good.faults == []
    assert (good.cost.calls, good.cost.read > 100) == (1, True)
    idle = await run_task(task, world, Way(CLIENT, "cat", scaled(60)))
    assert idle.faults == ["the answer lacks 'division by zero'"]
    assert idle.cost.calls == 0
    hanging = await run_task(task, world, Way(CLIENT, "cat; sleep 3600", 1))
    assert hanging.faults[0].startswith("the client did not end within 1 s")


@pytest.mark.pods
async def test_a_client_with_a_short_list_works_over_the_one_door(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of the tasks that need every server together, the one that starts fastest; a longer list is a fault."""
    task = TASKS["a-client-that-a-policy-keeps-out"]
    servers = ["kubernetes", "cilium", "querydoc", "clock"]
    async with world_of(cluster, tmp_path_factory.mktemp("door"), servers, task.needs) as found:
        outcome = await run_task(task, found, Way())
        assert outcome.faults == []
        assert 2 < outcome.cost.listed <= 40
        short = task.model_copy(update={"budget": task.budget.model_copy(update={"listed": 2})})
        again = await run_task(short, found, Way())
    assert again.faults == [f"{outcome.cost.listed} tools in the list, more than 2"]


@pytest.mark.cluster
async def test_what_was_not_done_is_a_fault(world: World) -> None:
    """The judge is kubectl: a script whose calls all succeed and change nothing has not done the task."""
    task = TASKS["delete-needs-a-yes"].model_copy(
        update={
            "steps": [Step.model_validate({"tool": "k8s_get_resources", "with": {"resource_type": "pods"}})],
            "check": [Look(kubectl="get configmap legacy --ignore-not-found -o name", equals="", seconds=0.1)],
        }
    )
    outcome = await run_task(task, world, Way())
    assert len(outcome.faults) == 1
    assert "configmap/legacy" in outcome.faults[0]


@pytest.mark.cluster
async def test_a_question_that_the_script_does_not_foresee_is_declined(world: World) -> None:
    told = TASKS["delete-needs-a-yes"]
    steps = [told.steps[0].model_copy(update={"person": None})]
    outcome = await run_task(told.model_copy(update={"steps": steps}), world, Way())
    assert "asked a person, which the script does not foresee" in outcome.faults[0]


@pytest.mark.cluster
async def test_an_interrupted_run_leaves_no_namespace(cluster: Cluster, api: KubeApi) -> None:
    context = yaml.safe_load(cluster.kubeconfig.read_text())["current-context"]
    words = ["--context", context, "--task", "delete-needs-a-yes", "--client", "sleep 3600"]
    given = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}

    async def namespaces() -> list[str]:
        listed = await api.get("/api/v1/namespaces", (("labelSelector", "kmcp-evals=delete-needs-a-yes"),))
        return [item["metadata"]["name"] for item in listed["items"] if "deletionTimestamp" not in item["metadata"]]

    before = await namespaces()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "evals", *words, cwd=CHECKOUT, env=given)
    try:
        found = await until(namespaces, lambda names: len(names) > len(before), what="a namespace of the run")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(scaled(60)):
            assert await process.wait() == 130
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert not set(found) - set(before) & set(await namespaces())


def test_a_cluster_that_nobody_named_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(environment.KUBECONFIG, "/somewhere/production")
    assert main(["--task", "delete-needs-a-yes"]) == 2
    assert "name its context with --context" in capsys.readouterr().err


def test_a_context_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kubectl: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(worlds.RefusedContext, match="no usable context 'prod'"):
        worlds.find_cluster("prod", tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--task", "wrong-tagg"], ["no task wrong-tagg; there are: ", "log-names-the-fault"]),
        (["--server", "helmm"], ["no server helmm; there are: argo, door, helm, istio, kubernetes, prometheus"]),
        (["--write", "--server", "helm"], ["--write: the page holds all tasks"]),
        (["--write"], ["evals.md cannot be written: No such file or directory"]),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(
    words: list[str],
    told: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(environment.KUBECONFIG, "/somewhere/production")  # what a run would end with
    monkeypatch.setattr(figures, "PATH", tmp_path / "away" / "evals.md")
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert [word for word in told if word not in errors] == []


@pytest.mark.cluster
def test_what_a_killed_run_left_is_deleted_without_a_server(
    cluster: Cluster, kubectl: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the context that is named; a run that goes on at the same time is somebody else's."""
    monkeypatch.setattr(place, "LABEL", f"kmcp-evals-{secrets.token_hex(4)}")
    monkeypatch.setenv("KMCP_READ_ONLY", "perhaps")  # no server starts with it
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    context = yaml.safe_load(cluster.kubeconfig.read_text())["current-context"]
    name = f"eval-{secrets.token_hex(4)}"
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {place.LABEL: "killed"}}}
    command = [str(kubectl), "create", "--filename", "-"]
    subprocess.run(command, input=json.dumps(made), text=True, check=True, capture_output=True)
    assert main(["--context", context, "--clean"]) == 0
    assert f'namespace "{name}" deleted' in capsys.readouterr().out
