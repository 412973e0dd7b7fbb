"""A policy at the Kubernetes door, on a real API server: what is reached decides, however the caller names it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
Under = Callable[..., AbstractAsyncContextManager[ToolCaller]]


@pytest.fixture
def under(settings: KubernetesSettings, tmp_path: Path) -> Under:
    """The server under a policy."""

    @asynccontextmanager
    async def opened(text: str, approval: Any = "off") -> AsyncIterator[ToolCaller]:
        path = tmp_path / "policy.cedar"
        path.write_text(text)
        runtime = patient(approval=approval, policy=str(path))
        async with Client(assemble(SERVER, settings, runtime)) as client:
            yield ToolCaller(client)

    return opened


@pytest.fixture
async def other(api: KubeApi, namespace: str) -> AsyncIterator[str]:
    """A second namespace, with a ConfigMap and a Secret."""
    name = f"{namespace}-x"
    await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": name}})
    await api.send("POST", f"/api/v1/namespaces/{name}/configmaps", (), {"metadata": {"name": "foreign"}})
    secret = {"metadata": {"name": "foreign"}, "stringData": {"key": "value"}}
    await api.send("POST", f"/api/v1/namespaces/{name}/secrets", (), secret)
    yield name
    await api.send("DELETE", f"/api/v1/namespaces/{name}")


def own(namespace: str) -> str:
    return f'@id("own") permit (principal, action, resource) when {{ resource.namespace == "{namespace}" }};'


async def configmap(api: KubeApi, namespace: str, name: str, **data: str) -> None:
    await api.send("POST", f"/api/v1/namespaces/{namespace}/configmaps", (), {"metadata": {"name": name}, "data": data})


async def test_one_namespace_shows_nothing_of_the_others(
    under: Under, api: KubeApi, namespace: str, other: str
) -> None:
    await configmap(api, namespace, "mine")
    async with under(own(namespace)) as tools:
        found = await tools.ok("k8s_get_resources", resource_type="cm", namespace=namespace)
        assert "mine" in json.dumps(found)
        every = await tools.fails("k8s_get_resources", resource_type="configmaps", all_namespaces=True)
        assert every["code"] == "denied"
        assert f"namespace={namespace}" in every["hint"], "the one that is allowed"
        assert other not in json.dumps(every)
        for kind in ("configmaps", "ConfigMap", "CM", "configmaps.v1."):
            refused = await tools.fails("k8s_get_resources", resource_type=kind, namespace=other)
            assert refused["code"] in ("denied", "bad_argument"), refused
        for tool, more in (
            ("k8s_get_resource_yaml", {}),
            ("k8s_describe_resource", {}),
            ("k8s_delete_resource", {}),
            ("k8s_label_resource", {"labels": {"a": "b"}}),
            ("k8s_patch_resource", {"patch": '{"data": {"a": "b"}}'}),
        ):
            answers = [
                await tools.fails(tool, resource_type="configmaps", resource_name=name, namespace=other, **more)
                for name in ("foreign", "no-such-thing")
            ]
            assert answers[0]["code"] == "denied"
            assert answers[0] == json.loads(json.dumps(answers[1]).replace("no-such-thing", "foreign"))
        # What is looked up for a hint is not shown either: that another namespace has an object of this name.
        absent = await tools.fails(
            "k8s_get_resource_yaml", resource_type="configmaps", resource_name="foreign", namespace=namespace
        )
        assert absent["code"] == "not_found"
        assert other not in json.dumps(absent)
        assert (await tools.fails("k8s_get_resources", resource_type="nodes"))["code"] == "denied"
        assert (await tools.fails("k8s_get_events", namespace=other))["code"] == "denied"
        assert (await tools.fails("k8s_get_pod_logs", pod_name="x", namespace=other))["code"] == "denied"
        assert (await tools.fails("k8s_execute_command", pod_name="x", namespace=other, command="id"))[
            "code"
        ] == "denied"


async def test_a_forbidden_namespace_is_not_in_a_list_of_all(under: Under, namespace: str, other: str) -> None:
    policy = (
        "permit (principal, action, resource);"
        f'@id("closed") forbid (principal, action, resource) when {{ resource.namespace == "{other}" }};'
    )
    async with under(policy) as tools:
        every = await tools.fails("k8s_get_resources", resource_type="configmaps", all_namespaces=True)
        assert every["rule"] == "closed"
        await tools.ok("k8s_get_resources", resource_type="nodes")
        await tools.ok("k8s_get_resources", resource_type="configmaps", namespace=namespace)
        assert (await tools.fails("k8s_get_resources", resource_type="secrets", namespace=other))["rule"] == "closed"


async def test_a_list_of_namespaces_is_one_of_all_of_them(under: Under, namespace: str, other: str) -> None:
    listed = (
        {"resource_type": "namespaces"},
        {"resource_type": "ns", "output": "json", "field_selector": f"metadata.name={other}"},
        {"resource_type": "Namespace", "output": "yaml", "selector": f"kubernetes.io/metadata.name={other}"},
        {"resource_type": "namespaces", "output": "names", "all_namespaces": True},
    )
    policy = (
        "permit (principal, action, resource);"
        f'@id("closed") forbid (principal, action, resource) when {{ resource.namespace == "{other}" }};'
    )
    async with under(policy) as tools:
        for each in listed:
            assert (await tools.fails("k8s_get_resources", **each))["rule"] == "closed"
        several = await tools.ok("k8s_get_resources", resource_type="ns,nodes", output="names")
        assert other not in several["items"]
        assert not any(each.startswith("namespace/") for each in several["items"])
        about = {"resource_type": "namespaces", "output": "names"}
        assert (await tools.ok("k8s_get_resources", resource_name=namespace, **about))["items"]
        assert (await tools.fails("k8s_get_resources", resource_name=other, **about))["rule"] == "closed"
        # What looks whether a namespace exists still asks of that one, and what lists their names leaves the hint out.
        absent = await tools.fails("k8s_get_resources", resource_type="pods", namespace=f"{namespace}-absent")
        assert (absent["code"], other in str(absent)) == ("not_found", False)
    async with under('permit (principal, action, resource) unless { resource.kind == "pods" };') as tools:
        for each in listed:
            await tools.ok("k8s_get_resources", **each)
    texts = (
        '@id("no-secrets") forbid (principal, action, resource) when { resource.kind == "secrets" };'
        '@id("reads") permit (principal, action, resource) when { resource.kind == "nodes" };'
    )
    async with under(own(namespace) + texts) as tools:
        hint = (await tools.fails("k8s_get_resources", resource_type="namespaces"))["hint"]
        assert hint.startswith(f"the policy allows it of {namespace} by name; or ask ")
        hint = (await tools.fails("k8s_get_resources", resource_type="configmaps", all_namespaces=True))["hint"]
        assert hint.startswith(f"the policy allows it with namespace={namespace}; or ask ")


async def test_a_kind_is_known_by_every_name(under: Under, namespace: str, other: str) -> None:
    policy = (
        "permit (principal, action, resource);"
        '@id("no-secrets") forbid (principal, action, resource) when { resource.kind == "secrets" };'
    )
    async with under(policy) as tools:
        for kind in ("secret", "secrets", "Secret", "SECRETS", " secrets "):
            for tool, more in (
                ("k8s_get_resources", {}),
                ("k8s_get_resources", {"all_namespaces": True}),
                ("k8s_get_resources", {"namespace": other, "selector": "owner=helm"}),
                ("k8s_get_resource_yaml", {"resource_name": "foreign", "namespace": other}),
                ("k8s_describe_resource", {"resource_name": "foreign", "namespace": other}),
            ):
                assert (await tools.fails(tool, resource_type=kind, **more)).get("rule") == "no-secrets", (kind, tool)
        manifest = yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "new"}})
        for tool, word in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
            for dry_run in (True, False):
                refused = await tools.fails(tool, **{word: manifest}, namespace=namespace, dry_run=dry_run)
                assert refused["code"] == "denied", refused


async def test_of_many_objects_none_is_changed_when_one_is_refused(
    under: Under, api: KubeApi, namespace: str, other: str
) -> None:
    """Also where nobody is asked: the refusal comes before the first change."""
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first", "namespace": namespace}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "second", "namespace": other}},
    ]
    async with under(own(namespace)) as tools:
        for tool, word in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
            refused = await tools.fails(tool, **{word: yaml.safe_dump_all(objects)})
            assert refused["code"] == "denied", refused
            assert await api.find(f"/api/v1/namespaces/{namespace}/configmaps/first") is None
        await tools.ok("k8s_apply_manifest", manifest=yaml.safe_dump(objects[0]))
        assert await api.find(f"/api/v1/namespaces/{namespace}/configmaps/first") is not None


async def test_what_turns_out_to_destroy_is_refused_before_anybody_is_asked(
    under: Under, api: KubeApi, namespace: str
) -> None:
    await configmap(api, namespace, "kept", a="1", b="2")
    policy = (
        '@id("writers") permit (principal, action, resource) when { context.effect != Effect::"destroy" };'
        '@id("previews") permit (principal, action, resource) when { context.dry_run };'
    )
    about = {"resource_type": "configmaps", "resource_name": "kept", "namespace": namespace}
    for approval in ("plan", "off"):
        async with under(policy, approval) as tools:
            await tools.ok("k8s_patch_resource", **about, patch='{"data": {"a": "3"}}')
            loses = {**about, "patch": '{"data": {"b": null}}'}
            assert (await tools.fails("k8s_patch_resource", **loses))["code"] == "denied"
            assert (await tools.fails("k8s_delete_resource", **about))["code"] == "denied"
            await tools.ok("k8s_patch_resource", **loses, dry_run=True)
            await tools.ok("k8s_delete_resource", **about, dry_run=True)
    found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/kept")
    assert found["data"] == {"a": "3", "b": "2"}


async def test_names_decide_too_and_a_list_would_show_them_all(under: Under, api: KubeApi, namespace: str) -> None:
    for name in ("web-a", "db"):
        await configmap(api, namespace, name)
    policy = '@id("web") permit (principal, action, resource) when { resource.name like "web-*" };'
    async with under(policy) as tools:
        about = {"resource_type": "configmaps", "namespace": namespace}
        await tools.ok("k8s_get_resource_yaml", **about, resource_name="web-a")
        assert (await tools.fails("k8s_get_resource_yaml", **about, resource_name="db"))["code"] == "denied"
        assert (await tools.fails("k8s_get_resources", **about))["rule"] == "web"
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-b", "namespace": namespace}}
        await tools.ok("k8s_create_resource", yaml_content=yaml.safe_dump(new))
        new["metadata"] = {"name": "db-b", "namespace": namespace}
        assert (await tools.fails("k8s_create_resource", yaml_content=yaml.safe_dump(new)))["code"] == "denied"
