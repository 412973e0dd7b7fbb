"""`rbac: bind | derive`: the rights of a server in its namespace, from what its allowed tools declare."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kmcp_controller.reconcile.options import Options
from kmcp_controller.spec import Platform
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Rule
from kmcp_runtime.catalog import union
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.publish import entry
from tests.controller.driving import OPTIONS, Driver
from tests.controller.test_reconcile import programmed
from tests.kubernetes.scenarios import filled, scenario_of
from tests.mcp import ToolCaller
from tests.rights import acting, complaints, granted, names_only, without, write_kubeconfig
from tests.slowness import scaled
from tests.waiting import until

IMAGE = {"image": "localhost/kmcp/kmcp-kubernetes:1", "replicas": 0}
BINDING = Platform(suite_images=("localhost/kmcp",), server_roles=("bind", "derive"), role_prefix="rel")
ENTRIES = {"kmcp-kubernetes": entry(SERVER)}
TOOLS = {declared.name: declared for declared in SERVER.tools()}
NAMESPACED = (
    "k8s_get_resource_yaml",
    "k8s_get_resources",
    "k8s_get_events",
    "k8s_describe_resource",
    "k8s_patch_resource",
    "k8s_delete_resource",
    "k8s_scale",
    "k8s_label_resource",
    "k8s_annotate_resource",
)
"""Tools that need no running pod and nothing outside of a namespace."""


def options(**changes: Any) -> Options:
    return replace(OPTIONS, platform=replace(BINDING, **changes), entries=ENTRIES)


def policy(rules: Iterable[Rule]) -> list[dict[str, list[str]]]:
    return [{"apiGroups": [each.group], "resources": [*each.resources], "verbs": [*each.verbs]} for each in rules]


@pytest.mark.cluster
@pytest.mark.parametrize("tool", NAMESPACED)
async def test_derived_role_is_enough_and_needed(driver: Driver, api: KubeApi, tool: str, tmp_path: Path) -> None:
    await driver.start(options())
    await driver.server(IMAGE, extensions={"rbac": "derive", "tools": [tool]})
    await programmed(driver)
    await furnish(driver)
    needs = TOOLS[tool].needs
    derived = await driver.get("Role")
    assert derived
    assert derived["rules"] == policy(union(needs))  # hence nothing that no tool needs
    settings = KubernetesSettings(kubeconfig=str(driver.given.kubeconfig), kube_timeout=scaled(30))
    async with acting(api, SERVER, settings, driver.namespace, "time", tmp_path) as caller:

        async def said() -> str:
            return "\n".join([await complained(driver, caller, tool, each) for each in scenario_of(TOOLS[tool]).calls])

        await until(said, lambda text: not text.strip(), 20, f"{tool} to succeed")
        for rule in needs:
            for verb in rule.verbs:
                await driver.merge("Role", "time", {"rules": policy(without(needs, rule, verb))})
                await until(said, partial(names_only, rule=rule, verb=verb), 20, f"{verb} refused")


async def furnish(driver: Driver) -> None:
    await driver.create("ConfigMap", "settings", data={"a": "b"})
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "localhost/none:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    await driver.create("Deployment", "web", spec=spec)
    store = {"metadata": {"name": "store"}, "spec": {**spec, "serviceName": "store"}}
    await driver.api.send("POST", f"/apis/apps/v1/namespaces/{driver.namespace}/statefulsets", (), store)


async def complained(driver: Driver, caller: ToolCaller, tool: str, arguments: Mapping[str, Any]) -> str:
    """What the call says that went wrong; what it deletes is there before."""
    words = {"ns": driver.namespace, "fresh": "fresh", "pod": ""}
    if scenario_of(TOOLS[tool]).before:
        metadata = {"name": "fresh", "namespace": driver.namespace}
        await driver.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    result = await caller.client.call_tool(tool, filled(arguments, words), raise_on_error=False)
    return "\n".join(complaints(result))


HELD = (
    Rule("kagent.dev", ("mcpservers", "mcpservers/status", "mcpservers/finalizers"), ("*",)),
    Rule("", ("services", "serviceaccounts", "configmaps"), ("*",)),
    Rule("", ("pods", "namespaces", "secrets"), ("get", "list")),
    Rule("", ("events",), ("create", "patch", "list")),
    Rule("apps", ("deployments",), ("*",)),
    Rule("autoscaling", ("horizontalpodautoscalers",), ("get", "list", "watch")),
    Rule("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("get", "list", "create", "patch", "delete")),
)
"""As the chart grants them, with the grantable rule to list Events."""


@pytest.mark.cluster
async def test_more_than_grantable_is_refused(driver: Driver, api: KubeApi, tmp_path: Path) -> None:
    settings = KubernetesSettings(kubeconfig=str(driver.given.kubeconfig), kube_timeout=scaled(30))
    async with granted(api, driver.namespace, HELD) as account:
        own = await write_kubeconfig(api, settings, driver.namespace, account, tmp_path)
        await driver.start(options(), str(own))
        await driver.server(IMAGE, extensions={"rbac": "derive", "tools": ["k8s_get_pod_logs"]})
        failed = await driver.condition("Programmed", "False", "RoleFailed")
        assert "pods/log" in failed["message"]
        assert await driver.get("Role") is None
        assert await driver.get("Deployment")
        await driver.server(IMAGE, extensions={"rbac": "derive", "tools": ["k8s_get_events"]})
        await programmed(driver)
        assert await driver.get("RoleBinding")


@pytest.mark.cluster
async def test_bound_role_is_what_the_tools_amount_to(driver: Driver) -> None:
    await driver.start(options())

    async def bound(**extensions: Any) -> dict[str, Any]:
        await driver.server(IMAGE, extensions=extensions)
        await programmed(driver)
        role = {"kind": "Role", "name": "time"}
        if extensions["rbac"] == "bind":
            effect = "read" if "readOnly" in extensions else "write"
            role = {"kind": "ClusterRole", "name": f"rel-kmcp-kubernetes-{effect}"}
        return await driver.when("RoleBinding", lambda seen: seen["roleRef"].items() >= role.items(), f"{role}")

    first = await bound(rbac="bind", readOnly=True)
    assert first["subjects"] == [{"kind": "ServiceAccount", "name": "time", "namespace": driver.namespace}]
    await bound(rbac="bind")
    await bound(rbac="derive", tools=["k8s_get_events"])
    await driver.server({**IMAGE, "serviceAccountName": "default"}, extensions={"rbac": "derive"})
    await driver.when("RoleBinding", lambda seen: seen["subjects"][0]["name"] == "default", "the given account")
    await driver.server(IMAGE)
    await driver.when_gone("RoleBinding", "time")
    await driver.when_gone("Role", "time")


@pytest.mark.cluster
async def test_an_image_without_entry_has_no_rights_to_derive(driver: Driver) -> None:
    await driver.start(options())
    await driver.server({**IMAGE, "image": "localhost/kmcp/kmcp-nothing:1"}, extensions={"rbac": "derive"})
    refused = await driver.condition("Accepted", "False", "InvalidConfig")
    assert "the catalog has no server kmcp-nothing" in refused["message"]
