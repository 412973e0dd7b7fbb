"""What each tool is asked when it is called with exactly its own rights: one entry a tool, in a furnished namespace.

The namespace holds Deployment, Service and pod `web`, a Deployment `stuck` whose pods never start, ConfigMap
`settings`, and measurements in `metrics.k8s.io`.
`{ns}` stands for it, `{pod}` for a pod of the Deployment, `{fresh}` for a name that no object has yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_runtime import ToolSpec

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b}\n"
URL = "https://files.example.com/manifest.yaml"
_SETTINGS = {"resource_type": "configmaps", "resource_name": "settings", "namespace": "{ns}"}
_WEB = {"resource_type": "deployments", "resource_name": "web", "namespace": "{ns}"}


@dataclass(frozen=True)
class Scenario:
    """Calls that together use every right of a tool."""

    calls: Sequence[Mapping[str, Any]]
    before: str | None = None
    """A manifest that must exist before each call, with `{fresh}` filled in."""


def calls(*arguments: Mapping[str, Any], before: str | None = None) -> Scenario:
    return Scenario(arguments, before)


SCENARIOS: dict[str, Scenario] = {
    "k8s_get_resources": calls({"resource_type": "pods", "namespace": "{ns}"}, _SETTINGS),
    "k8s_get_pod_logs": calls({"pod_name": "{pod}", "namespace": "{ns}"}),
    "k8s_get_events": calls({"namespace": "{ns}"}),
    "k8s_get_available_api_resources": calls({"match": "pod"}),
    "k8s_get_cluster_configuration": calls({}),
    "k8s_get_resource_yaml": calls(_SETTINGS),
    "k8s_describe_resource": calls(_WEB),
    "k8s_generate_resource": calls({"resource_type": "configmap", "resource_description": "settings with a=b"}),
    "k8s_check_service_connectivity": calls(
        {"service_name": "web", "namespace": "{ns}"}, {"service_name": "web", "namespace": "{ns}", "mode": "pod"}
    ),
    "k8s_execute_command": calls({"pod_name": "{pod}", "namespace": "{ns}", "command": ["true"]}),
    "k8s_apply_manifest": calls({"manifest": CONFIG_MAP % "{fresh}", "namespace": "{ns}"}),
    "k8s_create_resource": calls({"yaml_content": CONFIG_MAP % "{fresh}", "namespace": "{ns}"}),
    "k8s_create_resource_from_url": calls({"url": URL, "namespace": "{ns}"}),
    "k8s_patch_resource": calls({**_SETTINGS, "patch": {"data": {"b": "{fresh}"}}}),
    "k8s_patch_status": calls({**_WEB, "patch": {"status": {"observedGeneration": 1}}}),
    "k8s_delete_resource": calls(
        {**_WEB, "dry_run": True},
        {"resource_type": "configmaps", "resource_name": "{fresh}", "namespace": "{ns}"},
        before=CONFIG_MAP % "{fresh}",
    ),
    "k8s_scale": calls(
        {"name": "web", "replicas": 1, "namespace": "{ns}"},
        {"name": "store", "replicas": 0, "resource_type": "statefulset", "namespace": "{ns}"},
    ),
    "k8s_rollout": calls(
        {**_WEB, "resource_type": "deployment", "action": "history"},
        {**_WEB, "resource_type": "statefulset", "resource_name": "store", "action": "history"},
        {"resource_type": "deployment", "resource_name": "stuck", "namespace": "{ns}", "action": "status"},
        {**_WEB, "resource_type": "deployment", "action": "restart"},
    ),
    "k8s_label_resource": calls({**_SETTINGS, "labels": {"a": "{fresh}"}, "overwrite": True}),
    "k8s_remove_label": calls({**_SETTINGS, "label_key": "a"}),
    "k8s_annotate_resource": calls({**_SETTINGS, "annotations": {"a": "{fresh}"}, "overwrite": True}),
    "k8s_remove_annotation": calls({**_SETTINGS, "annotation_key": "a"}),
    "k8s_resource_tree": calls({**_WEB, "resource_type": "deployment"}),
    "k8s_top": calls({"resource_type": "pods", "namespace": "{ns}"}, {"resource_type": "nodes"}),
    "k8s_can_i": calls(
        {"verb": "get", "resource_type": "pods", "namespace": "{ns}", "subject": "{ns}:default"}, {"namespace": "{ns}"}
    ),
    "k8s_explain": calls({"resource_type": "pods"}),
}


def scenario_of(declared: ToolSpec) -> Scenario:
    """The entry of a tool; a tool that needs no argument but a namespace can do without one."""
    if declared.name in SCENARIOS:
        return SCENARIOS[declared.name]
    schema = declared.input_schema()
    if schema.get("required"):
        raise KeyError(f"{declared.name} takes {schema['required']}: add what to call it with to SCENARIOS")
    return calls({"namespace": "{ns}"} if "namespace" in schema["properties"] else {})


def filled(node: Any, words: Mapping[str, str]) -> Any:
    """The arguments with the placeholders filled in."""
    if isinstance(node, str):
        for word, value in words.items():
            node = node.replace("{" + word + "}", value)
        return node
    if isinstance(node, Mapping):
        return {key: filled(value, words) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(item, words) for item in node]
    return node
