"""Deleting on the real cluster: nothing goes without a yes, whoever the client is."""

from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import ToolFailure
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.making import config_map, make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.trust import Trust

pytestmark = pytest.mark.cluster


def asking(settings: KubernetesSettings, **client: Any) -> Client[Any]:
    return Client(assemble(SERVER, settings, patient()), **client)


@pytest.fixture
async def target(api: KubeApi, namespace: str) -> dict[str, str]:
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("precious", a="b"))
    return {"resource_type": "configmap", "resource_name": "precious", "namespace": namespace}


async def there(api: KubeApi, target: dict[str, str]) -> bool:
    try:
        await api.get(f"/api/v1/namespaces/{target['namespace']}/configmaps/{target['resource_name']}")
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return False
    return True


async def test_a_client_that_cannot_ask_needs_the_plan_and_its_token(
    settings: KubernetesSettings, api: KubeApi, target: dict[str, str], namespace: str, trust: Trust
) -> None:
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("other", a="b"))
    async with asking(settings) as client:
        caller = ToolCaller(client)
        error = await caller.fails("k8s_delete_resource", **target)
        assert error["code"] == "approval_required"
        assert error["plan"]["name"] == "precious"
        assert await there(api, target)
        token = error["approval"]
        changed = {**target, "resource_name": "other"}
        assert (
            "different arguments" in (await caller.fails("k8s_delete_resource", **changed, approval=token))["message"]
        )
        assert await there(api, changed)
        await caller.ok("k8s_delete_resource", **target, approval=token)
        assert not await there(api, target)
        await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("precious", a="b"))
        replayed = await caller.fails("k8s_delete_resource", **target, approval=token)
        assert replayed["code"] == "approval_required"
        assert await there(api, target)
        trust.count("approvals", "on a cluster, tokens of other objects or used", refused=2, tried=2)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("yes", [True, False])
async def test_a_person_is_shown_the_plan_and_decides(
    settings: KubernetesSettings, api: KubeApi, target: dict[str, str], mode: Any, yes: bool, trust: Trust
) -> None:
    questions: list[str] = []

    async def handler(message: str, response_type: Any, params: Any, context: Any) -> Any:
        questions.append(message)
        field = next(iter(params.requested_schema["properties"]))
        return ElicitResult(action="accept", content={field: yes})

    async with asking(settings, mode=mode, elicitation_handler=handler) as client:
        caller = ToolCaller(client)
        if yes:
            await caller.ok("k8s_delete_resource", **target)
        else:
            assert (await caller.fails("k8s_delete_resource", **target))["code"] == "denied"
            trust.count("approvals", "on a cluster, a person says no", refused=1, tried=1)
    assert await there(api, target) is not yes
    assert "precious" in questions[0]


@pytest.mark.parametrize("replaced", [True, False])
async def test_A4_what_was_made_anew_or_changed_after_the_plan_survives(
    settings: KubernetesSettings, api: KubeApi, target: dict[str, str], namespace: str, replaced: bool, trust: Trust
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    async with asking(settings) as client:
        caller = ToolCaller(client)
        token = (await caller.fails("k8s_delete_resource", **target))["approval"]
        if replaced:
            await api.send("DELETE", f"{path}/precious")
            await make(api, path, config_map("precious", a="b"))
        else:
            await api.send("PATCH", f"{path}/precious", (), {"data": {"a": "c"}}, "application/merge-patch+json")
        error = await caller.fails("k8s_delete_resource", **target, approval=token)
        assert "has changed since" in error["message"]
        assert "approval" not in error
        assert await there(api, target)
        trust.count("approvals", "on a cluster, of what has changed", refused=1, tried=1)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_A4_what_is_made_anew_while_a_person_thinks_survives(
    settings: KubernetesSettings, api: KubeApi, target: dict[str, str], namespace: str, mode: Any, trust: Trust
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"

    async def handler(message: str, response_type: Any, params: Any, context: Any) -> Any:
        await api.send("DELETE", f"{path}/precious")
        await make(api, path, config_map("precious", a="b"))
        return ElicitResult(action="accept", content={"ok": True})

    async with asking(settings, mode=mode, elicitation_handler=handler) as client:
        error = await ToolCaller(client).fails("k8s_delete_resource", **target)
        assert "has changed since" in error["message"]
        assert await there(api, target)
        trust.count("approvals", "on a cluster, of what has changed", refused=1, tried=1)


async def test_what_changed_since_the_plan_is_not_deleted(
    settings: KubernetesSettings, api: KubeApi, target: dict[str, str], namespace: str
) -> None:
    async with asking(settings) as client:
        caller = ToolCaller(client)
        token = (await caller.fails("k8s_delete_resource", **target))["approval"]
        path = f"/api/v1/namespaces/{namespace}/configmaps/precious"
        finalizers = {"metadata": {"finalizers": ["example.com/keep"]}}
        await api.send("PATCH", path, (), finalizers, "application/merge-patch+json")
        error = await caller.fails("k8s_delete_resource", **target, approval=token)
        assert "has changed since" in error["message"]
        assert await there(api, target)
        await api.send("PATCH", path, (), {"metadata": {"finalizers": None}}, "application/merge-patch+json")


LOCK = {"holderIdentity": "one", "renewTime": "2026-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize(
    ("spec", "survives"),
    [({"renewTime": "2026-01-01T00:00:05.000000Z"}, False), ({"holderIdentity": "another"}, True)],
)
async def test_A4_what_moves_by_itself_voids_no_approval(
    settings: KubernetesSettings, api: KubeApi, namespace: str, spec: dict[str, str], survives: bool
) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    await make(api, path, {"metadata": {"name": "lock"}, "spec": LOCK})
    target = {"resource_type": "leases.coordination.k8s.io", "resource_name": "lock", "namespace": namespace}
    async with asking(settings) as client:
        caller = ToolCaller(client)
        token = (await caller.fails("k8s_delete_resource", **target))["approval"]
        await api.send("PATCH", f"{path}/lock", (), {"spec": spec}, "application/merge-patch+json")
        if survives:
            error = await caller.fails("k8s_delete_resource", **target, approval=token)
            assert "has changed since" in error["message"]
        else:
            await caller.ok("k8s_delete_resource", **target, approval=token)
    assert len((await api.get(path))["items"]) == survives


async def test_A4_an_event_that_is_counted_up_can_be_deleted(
    settings: KubernetesSettings, api: KubeApi, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    about = {"kind": "Pod", "name": "gone", "namespace": namespace}
    await make(api, path, {"metadata": {"name": "noise"}, "involvedObject": about, "count": 1, "message": "again"})
    target = {"resource_type": "events", "resource_name": "noise", "namespace": namespace}
    async with asking(settings) as client:
        caller = ToolCaller(client)
        token = (await caller.fails("k8s_delete_resource", **target))["approval"]
        counted = {"count": 2, "lastTimestamp": "2026-01-01T00:00:00Z"}
        await api.send("PATCH", f"{path}/noise", (), counted, "application/merge-patch+json")
        await caller.ok("k8s_delete_resource", **target, approval=token)
    assert (await api.get(path))["items"] == []
