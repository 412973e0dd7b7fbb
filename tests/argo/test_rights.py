"""Every tool as a ServiceAccount that holds exactly what the tool declares: enough, and nothing in it to spare."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kmcp_argo.rollouts.revisions import HASH, REVISION
from kmcp_argo.server import SERVER
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime import Rule, ToolSpec
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.failures import StatusFailure
from tests.argo.making import API, canary, experiment, rollout, rollouts_path, template
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import limits
from tests.rights import complaints, each_tool, each_verb, holding, names_only, without
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.usefixtures("controller")]
# A controller acts on objects without this label alone: here the test says what their status is.
IGNORED = {"argo-rollouts.argoproj.io/controller-instance-id": "none"}
MERGE = "application/merge-patch+json"
REFERENCED = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "PodTemplate": "v1"}
PATHS = {
    "Deployment": "/apis/apps/v1/{ns}/deployments",
    "ReplicaSet": "/apis/apps/v1/{ns}/replicasets",
    "PodTemplate": "/api/v1/{ns}/podtemplates",
}
_GATEWAY = {"namespace": "{ns}", "should_install": True, "restart_controller": True}
CALLS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "argo_verify_argo_rollouts_controller_install": ({},),
    "argo_verify_kubectl_plugin_install": ({},),
    "argo_rollouts_list": ({"namespace": "{ns}"}, {"namespace": "{ns}", "type": "experiments"}),
    "argo_check_plugin_logs": ({"namespace": "{ns}", "timeout_seconds": 1},),
    "argo_promote_rollout": ({"rollout_name": "web", "full": True},),
    "argo_pause_rollout": ({"rollout_name": "calm"},),
    "argo_set_rollout_image": (
        {"rollout_name": "web", "container_image": "main=localhost/x:{fresh}"},
        {"rollout_name": "of-deployment", "container_image": "main=localhost/x:{fresh}"},
    ),
    "argo_get_rollout": ({"rollout_name": "web"}, {"rollout_name": "of-deployment"}),
    "argo_rollout_action": (
        {"rollout_name": "web", "action": "restart"},
        {"rollout_name": "web", "action": "abort"},
        {"rollout_name": "trial", "action": "retry_experiment"},
        *({"rollout_name": f"of-{kind.lower()}", "action": "undo"} for kind in REFERENCED),
    ),
    "argo_verify_gateway_plugin": ({**_GATEWAY, "version": "v0.5.0"}, {**_GATEWAY, "version": "v0.6.0"}),
}


def test_every_tool_has_calls() -> None:
    assert set(CALLS) == {declared.name for declared in SERVER.tools()}


class Stage:
    """A namespace with something for every tool, brought back to its beginning before each attempt."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    async def furnish(self) -> None:
        await make(self.api, "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        for name in ("web", "calm"):
            await self._ignored("rollouts", rollout(name, canary({"setWeight": 20}), replicas=0))
        await self._ignored("experiments", {**experiment("trial", "1h"), "status": {"phase": "Successful"}})
        for kind, version in REFERENCED.items():
            await self._referenced(kind, version)
        await self._stand_in()

    async def _ignored(self, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        body["metadata"]["labels"] = IGNORED
        return await make(self.api, rollouts_path(self.namespace, plural=plural), body)

    async def _referenced(self, kind: str, version: str) -> None:
        """A workload of the kind, a Rollout that references it, and two revisions of it."""
        name = f"of-{kind.lower()}"
        await make(self.api, self._path(kind), self._workload(kind, name))
        body = rollout(name, canary({"setWeight": 20}), replicas=0)
        del body["spec"]["template"]
        body["spec"]["workloadRef"] = {"apiVersion": version, "kind": kind, "name": name}
        owner = await self._ignored("rollouts", body)
        reference = {
            "apiVersion": API,
            "kind": "Rollout",
            "name": name,
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
        for revision in ("1", "2"):
            replica_set = self._workload("ReplicaSet", name, version=revision, hash=f"{name}-{revision}")
            replica_set["metadata"] |= {
                "name": f"{name}-r{revision}",
                "annotations": {REVISION: revision},
                "ownerReferences": [reference],
            }
            await make(self.api, self._path("ReplicaSet"), replica_set)

    def _workload(self, kind: str, name: str, version: str = "2", hash: str | None = None) -> dict[str, Any]:
        pods = template(name, version)
        labels = pods["metadata"]["labels"] | ({HASH: hash} if hash else {})
        pods["metadata"]["labels"] = labels
        if kind == "PodTemplate":
            return {"metadata": {"name": name}, "template": pods}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods}
        return {"metadata": {"name": name, "labels": labels}, "spec": spec}

    async def _stand_in(self) -> None:
        """A Deployment that looks like a controller's, which may be restarted at will."""
        labels = {"app.kubernetes.io/name": "argo-rollouts"}
        pods = template("argo-rollouts")
        pods["metadata"]["labels"] = labels
        pods["spec"]["containers"][0]["name"] = "argo-rollouts"
        spec = {"selector": {"matchLabels": labels}, "template": pods}
        body = {"metadata": {"name": "argo-rollouts", "labels": labels}, "spec": spec}
        await make(self.api, self._path("Deployment"), body)
        await until(self._stand_in_runs, what="the stand-in's pod")

    async def _stand_in_runs(self) -> bool:
        found = await self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")
        return any(pod["status"].get("phase") == "Running" for pod in found["items"])

    def _path(self, kind: str, name: str = "") -> str:
        return f"{PATHS[kind].format(ns=f'namespaces/{self.namespace}')}/{name}".rstrip("/")

    async def reset(self) -> None:
        status = {
            "abort": False,
            "promoteFull": False,
            "currentPodHash": "b",
            "stableRS": "a",
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
        }
        await self._patch(rollouts_path(self.namespace, "web"), {"spec": {"paused": True}})
        await self._patch(rollouts_path(self.namespace, "web") + "/status", {"status": status})
        await self._patch(rollouts_path(self.namespace, "calm"), {"spec": {"paused": False}})
        for kind in REFERENCED:
            name = f"of-{kind.lower()}"
            pods = {"template": {"spec": template(name, "2")["spec"]}}
            await self._patch(self._path(kind, name), pods if kind == "PodTemplate" else {"spec": pods})
        try:
            await self.api.send("DELETE", f"/api/v1/namespaces/{self.namespace}/configmaps/argo-rollouts-config")
        except StatusFailure as failure:
            if failure.http_status != 404:
                raise
        await until(self._stand_in_runs, what="the stand-in's pod")

    async def _patch(self, path: str, body: dict[str, Any]) -> None:
        await self.api.send("PATCH", path, (), body, MERGE)

    async def outcome(self, caller: ToolCaller, tool: str) -> str:
        """Empty when every call succeeded without a warning; else what was said."""
        await self.reset()
        said: list[str] = []
        for arguments in CALLS[tool]:
            words = {"ns": self.namespace, "fresh": secrets.token_hex(4)}
            filled = {
                name: value.format(**words) if isinstance(value, str) else value for name, value in arguments.items()
            }
            if "rollout_name" in filled:
                filled["namespace"] = self.namespace
            said += complaints(await caller.client.call_tool(tool, filled, raise_on_error=False))
        return "\n".join(said)


@pytest.fixture(scope="module")
async def stage(cluster: Cluster, pushed: None) -> AsyncIterator[Stage]:
    contexts = load_contexts(str(cluster.kubeconfig))
    api = KubeApi(contexts, contexts.named(None), limits())
    stage = Stage(api, f"rights-{secrets.token_hex(4)}")
    try:
        yield stage
    finally:
        await api.send("DELETE", f"/api/v1/namespaces/{stage.namespace}")
        await api.close()


@pytest.fixture
async def furnished(stage: Stage, controller: None) -> Stage:
    """The stage, furnished once the kinds are served."""
    try:
        await stage.api.get(f"/api/v1/namespaces/{stage.namespace}")
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        await stage.furnish()
    return stage


@pytest.mark.parametrize("declared", each_tool(SERVER))
async def test_the_declared_rights_are_enough(
    declared: ToolSpec, api: KubeApi, settings: ArgoSettings, furnished: Stage, tmp_path: Path
) -> None:
    async with holding(api, SERVER, settings, furnished.namespace, declared.needs, tmp_path) as caller:
        # The authorizer learns of a new binding within moments.
        await until(lambda: furnished.outcome(caller, declared.name), lambda said: said == "", 30, declared.name)


@pytest.mark.parametrize(("declared", "rule", "verb"), list(each_verb(SERVER)))
async def test_each_declared_right_is_needed(
    declared: ToolSpec, rule: Rule, verb: str, api: KubeApi, settings: ArgoSettings, furnished: Stage, tmp_path: Path
) -> None:
    rules = without(declared.needs, rule, verb)
    async with holding(api, SERVER, settings, furnished.namespace, rules, tmp_path) as caller:
        said = await until(
            lambda: furnished.outcome(caller, declared.name),
            lambda said: names_only(said, rule, verb),
            30,
            f"{verb} refused",
        )
        assert "forbidden" in said
