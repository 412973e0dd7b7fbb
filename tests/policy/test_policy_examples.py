"""The policies of `examples/policies`, each by a matrix of decisions, and the tools that they leave to whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from kmcp_runtime import Effect
from kmcp_runtime.judging import Resource
from kmcp_runtime.policy.guard import CallOfTool, open_arguments, possible_effects, resource_of
from kmcp_runtime.policy.questions import Principal
from kmcp_runtime.policy.reading import read_files, read_rules
from kmcp_runtime.policy.rules import RuleSet
from tests.policy.deciding import (
    EXAMPLES,
    MONDAY,
    SATURDAY,
    caller,
    decided,
    example,
    of,
    servers,
    tools,
    vocabulary,
)

ON_CALL, SHOP = caller("jane", "oncall"), caller("sam", "team-shop")
DEPLOYER = caller("system:serviceaccount:ci:deployer", "system:serviceaccounts")
PLATFORM, APPROVER = caller("pat", "platform"), caller("ann", "approvers")
STRANGER, NOBODY = caller("eve", "guests"), caller("anonymous", authenticated=False)
IMAGE = "argo_set_rollout_image"
Row = tuple[str, Principal, str, dict[str, Any], str, Resource | None, dict[str, Any], str]

READS = ("pods", "deployments", "configmaps", "events", "nodes")
SECRETS = of("secrets", "shop", "db")


def _rows() -> Iterator[Row]:
    yield from _on_call()
    yield from _one_team()
    yield from _approvers()
    yield from _automation()


def _on_call() -> Iterator[Row]:
    for kind in READS:
        for name in ("shop", "kube-system", ""):
            get = {"resource_type": kind}
            yield "on-call", ON_CALL, "k8s_get_resources", get, "read", of(kind, name), {}, "allow"
            yield "on-call", STRANGER, "k8s_get_resources", get, "read", of(kind, name), {}, "deny"
    for tool in ("k8s_get_resources", "k8s_describe_resource", "k8s_get_resource_yaml", "k8s_patch_resource"):
        given = {"resource_type": "secrets", "resource_name": "db"} | ({"patch": "{}"} if "patch" in tool else {})
        yield "on-call", ON_CALL, tool, given, "read", SECRETS, {}, "deny"
    for action, expected in (("restart", "allow"), ("undo", "deny"), ("pause", "deny"), ("resume", "deny")):
        for kind in ("deployments", "statefulsets", "daemonsets"):
            given = {"action": action, "resource_type": kind, "resource_name": "web"}
            yield "on-call", ON_CALL, "k8s_rollout", given, "write", of(kind, "shop", group="apps"), {}, expected
    for tool, given in CHANGES.items():
        yield "on-call", ON_CALL, tool, given, "write", None, {}, "deny"
        yield "on-call", ON_CALL, tool, given, "destroy", None, {}, "deny"
        yield "on-call", ON_CALL, tool, {**given, "dry_run": True}, "destroy", of("deployments", "shop"), {}, "allow"
        yield "on-call", ON_CALL, tool, {**given, "dry_run": True}, "write", SECRETS, {}, _of_kubernetes(tool)
    for tool in ("prometheus_query_tool", "grafana_query"):
        yield "on-call", ON_CALL, tool, {"query": "up"}, "read", None, {}, "allow"
        yield "on-call", NOBODY, tool, {"query": "up"}, "read", None, {}, "deny"


def _of_kubernetes(tool: str) -> str:
    return "deny" if tool.startswith("k8s_") else "allow"


CHANGES: dict[str, dict[str, Any]] = {
    "k8s_scale": {"name": "web", "replicas": 0},
    "k8s_delete_resource": {"resource_type": "pods", "resource_name": "web"},
    "k8s_patch_resource": {"resource_type": "pods", "resource_name": "web", "patch": "{}"},
    "k8s_apply_manifest": {"manifest": "kind: x"},
    "k8s_label_resource": {"resource_type": "pods", "resource_name": "web", "labels": {"a": "b"}},
    "argo_rollout_action": {"rollout_name": "web", "action": "abort"},
    "argo_promote_rollout": {"rollout_name": "web"},
    "helm_uninstall": {"name": "web", "namespace": "shop"},
}


def _one_team() -> Iterator[Row]:
    inside, outside = (
        ("shop", "shop-dev", "shop-a-b"),
        ("shopping", "kube-system", "default", "Shop", "SHOP", "", "sho"),
    )
    for effect in ("read", "write", "destroy"):
        for place in inside:
            yield "one-team", SHOP, "k8s_get_resources", POD, effect, of("pods", place), {}, "allow"
            yield "one-team", STRANGER, "k8s_get_resources", POD, effect, of("pods", place), {}, "deny"
        for place in outside:
            yield "one-team", SHOP, "k8s_get_resources", POD, effect, of("pods", place), {}, "deny"
    for kind in ("resourcequotas", "limitranges", "networkpolicies", "rolebindings", "roles"):
        yield "one-team", SHOP, "k8s_apply_manifest", {"manifest": "x"}, "write", of(kind, "shop"), {}, "deny"
        yield "one-team", SHOP, "k8s_delete_resource", DELETE, "destroy", of(kind, "shop"), {}, "deny"
        yield "one-team", SHOP, "k8s_get_resources", POD, "read", of(kind, "shop"), {}, "allow"
        yield "one-team", SHOP, "helm_upgrade", UPGRADE, "write", of(kind, "shop"), {}, "deny"
    for place in (*inside, *outside[:4]):
        expected = "allow" if place in inside else "deny"
        yield "one-team", SHOP, "helm_get_release", {"name": "web", "namespace": place}, "read", None, {}, expected
        yield "one-team", SHOP, "helm_uninstall", {"name": "web", "namespace": place}, "destroy", None, {}, expected
        yield "one-team", SHOP, "helm_upgrade", {**UPGRADE, "namespace": place}, "write", None, {}, expected
    # Without a namespace a call of Helm would be one of all of them, or of what its context says.
    yield "one-team", SHOP, "helm_list_releases", {}, "read", None, {}, "open"
    yield "one-team", SHOP, "helm_list_releases", {"all_namespaces": True}, "read", None, {}, "open"
    yield "one-team", SHOP, "k8s_get_resources", {**POD, "all_namespaces": True}, "read", None, {}, "open"
    every = Resource("test", None, "", "pods", None, "")
    yield "one-team", SHOP, "k8s_get_resources", {**POD, "all_namespaces": True}, "read", every, {}, "open"
    for tool in ("cilium_get_endpoints_list", "istio_version", "prometheus_targets_tool", "list_products"):
        yield "one-team", SHOP, tool, {}, "read", None, {}, "deny"
    yield "one-team", SHOP, "k8s_explain", {"resource_type": "pods"}, "read", None, {}, "allow"
    yield "one-team", STRANGER, "k8s_explain", {"resource_type": "pods"}, "read", None, {}, "deny"


POD: dict[str, Any] = {"resource_type": "pods"}
DELETE: dict[str, Any] = {"resource_type": "pods", "resource_name": "web"}
UPGRADE: dict[str, Any] = {"name": "web", "chart": "oci://registry.example.com/charts/web", "namespace": "shop"}


def _approvers() -> Iterator[Row]:
    pod = of("pods", "shop")
    for effect, approval, who, time, expected in (
        ("read", "none", STRANGER, MONDAY, "allow"),
        ("read", "none", NOBODY, MONDAY, "deny"),
        ("read", "none", STRANGER, SATURDAY, "allow"),
        ("write", "none", PLATFORM, MONDAY, "allow"),
        ("write", "none", PLATFORM, SATURDAY, "allow"),
        ("write", "none", APPROVER, MONDAY, "deny"),
        ("write", "none", STRANGER, MONDAY, "deny"),
        ("destroy", "asked", APPROVER, MONDAY, "allow"),
        ("destroy", "asked", APPROVER, SATURDAY, "deny"),
        ("destroy", "token", APPROVER, MONDAY, "deny"),
        ("destroy", "off", APPROVER, MONDAY, "deny"),
        ("destroy", "asked", PLATFORM, MONDAY, "deny"),
        ("destroy", "asked", STRANGER, MONDAY, "deny"),
    ):
        more = {"approvals": (approval,), "time": time}
        yield "approvers", who, "k8s_delete_resource", DELETE, effect, pod, more, expected
        yield "approvers", who, "helm_uninstall", CHANGES["helm_uninstall"], effect, None, more, expected
    for time in (MONDAY, SATURDAY):
        preview = {**DELETE, "dry_run": True}
        yield "approvers", PLATFORM, "k8s_delete_resource", preview, "destroy", pod, {"time": time}, "allow"
        yield "approvers", STRANGER, "k8s_delete_resource", preview, "destroy", pod, {"time": time}, "deny"


def _automation() -> Iterator[Row]:
    web = of("deployments", "apps-web", group="apps")
    rollout = of("rollouts", "apps-web", group="argoproj.io")
    for replicas, expected in ((0, "deny"), (1, "allow"), (10, "allow"), (11, "deny")):
        given = {"name": "web", "replicas": replicas}
        yield "automation", DEPLOYER, "k8s_scale", given, "write", web, {}, expected
        yield "automation", DEPLOYER, "k8s_scale", given, "write", of("deployments", "prod"), {}, "deny"
        yield "automation", DEPLOYER, "k8s_scale", given, "destroy", web, {}, "deny"
    for image, expected in (
        ("web=registry.example.com/web:2", "allow"),
        ("*=registry.example.com/web:2", "allow"),
        ("web=evil.example/web:2", "deny"),
        ("a=evil.example/x,b=registry.example.com/web:2", "deny"),
        ("a=evil.example/x=registry.example.com/web:2", "deny"),
        ("registry.example.com/web:2", "deny"),
    ):
        given = {"rollout_name": "web", "container_image": image}
        yield "automation", DEPLOYER, IMAGE, given, "write", rollout, {}, expected
    for chart, expected in (
        ("oci://registry.example.com/web", "allow"),
        ("oci://registry.example.com.evil.example/web", "deny"),
        ("repo/web", "deny"),
    ):
        given = {**UPGRADE, "chart": chart, "namespace": "apps-web"}
        yield "automation", DEPLOYER, "helm_upgrade", given, "write", None, {}, expected
        yield "automation", DEPLOYER, "helm_upgrade", given, "destroy", None, {}, "deny"
        yield "automation", DEPLOYER, "helm_upgrade", {**given, "namespace": "prod"}, "write", None, {}, "deny"
        # What the chart brings for other places.
        yield "automation", DEPLOYER, "helm_upgrade", given, "write", of("clusterrolebindings", ""), {}, "deny"
        yield "automation", DEPLOYER, "helm_upgrade", given, "write", of("roles", "kube-system"), {}, "deny"
    others = (
        caller("system:serviceaccount:ci:other"),
        caller("system:serviceaccount:other:deployer"),
        caller("system:serviceaccount:ci:deployer", issuer="https://issuer.example"),
        caller("system:serviceaccount:ci:deployer", authenticated=False),
        caller("system:serviceaccount:ci"),
        caller("ci:deployer"),
    )
    for who in others:
        yield "automation", who, "k8s_scale", {"name": "web", "replicas": 2}, "write", web, {}, "deny"
        yield "automation", who, "k8s_get_resources", POD, "read", web, {}, "deny"
    shell = {"pod_name": "web", "command": "id"}
    yield "automation", DEPLOYER, "k8s_execute_command", shell, "destroy", of("pods", "apps-web"), {}, "deny"


ROWS = list(_rows())


@pytest.mark.parametrize("name", ["on-call", "one-team", "approvers", "automation"])
def test_each_example_decides_as_its_matrix_says(name: str) -> None:
    rows = [row for row in ROWS if row[0] == name]
    wrong = []
    for _, who, tool, given, effect, resource, more, expected in rows:
        found = decided(example(name), who, tool, given, effect, resource=resource, **more)
        if found != expected:
            wrong.append(f"{who.subject} {tool} {given} {effect} {resource} {more}: {found}, not {expected}")
    assert wrong == []


def test_the_matrix_is_not_small() -> None:
    assert len(ROWS) >= 200
    assert {row[-1] for row in ROWS} == {"allow", "deny", "open"}


def listed(policy: RuleSet, who: Principal, tool: str) -> frozenset[Effect]:
    server, spec = tools()[tool]
    at_doors = servers()[server].at_doors
    words = policy.words(who.names(), server, tool)
    call = CallOfTool(
        server,
        tool,
        who,
        resource_of(spec, {}, at_doors),
        open_arguments(spec, words),
        "dry_run" in spec.arguments.model_fields,
        at_doors=at_doors,
        time=MONDAY,
    )
    return possible_effects(policy, call, {spec.effect, spec.worst, *(spec.by.effects.values() if spec.by else ())})


@pytest.mark.parametrize(
    ("name", "who", "shown", "hidden"),
    [
        ("on-call", ON_CALL, ["k8s_get_resources", "k8s_rollout", "k8s_scale"], ["helm_repo_add_x"]),
        ("one-team", SHOP, ["k8s_scale", "helm_uninstall", "k8s_explain"], ["list_products", "istio_version"]),
        ("one-team", STRANGER, [], ["k8s_get_resources", "k8s_explain", "helm_list_releases"]),
        ("approvers", APPROVER, ["k8s_get_resources", "k8s_delete_resource"], ["k8s_label_resource"]),
        ("approvers", PLATFORM, ["k8s_label_resource", "k8s_delete_resource"], []),
        ("approvers", NOBODY, [], ["k8s_get_resources"]),
        ("automation", DEPLOYER, ["k8s_scale", "helm_upgrade", IMAGE], ["k8s_execute_command", "k8s_apply_manifest"]),
    ],
)
def test_what_a_caller_may_never_do_is_not_listed(
    name: str, who: Principal, shown: list[str], hidden: list[str]
) -> None:
    policy = example(name)
    assert [tool for tool in shown if not listed(policy, who, tool) & set(Effect)] == []
    for tool in hidden:
        if tool in tools():
            found = listed(policy, who, tool)
            declared = tools()[tool][1]
            own = {declared.effect, *(declared.by.effects.values() if declared.by else ())}
            assert not found & own, f"{tool}: {found}"


def test_every_allowed_row_is_of_a_listed_tool() -> None:
    """The list leaves out nothing that the matrix allows."""
    wrong = []
    for name, who, tool, _, effect, _, more, expected in ROWS:
        if (
            expected == "allow"
            and more.get("time", MONDAY) == MONDAY
            and Effect(effect) not in listed(example(name), who, tool)
        ):
            possible = {tools()[tool][1].effect, tools()[tool][1].worst}
            if Effect(effect) in possible:
                wrong.append(f"{name} {who.subject} {tool} {effect}")
    assert wrong == []


def test_the_default_is_what_the_scopes_allow() -> None:
    """With the shipped default and without a policy the same calls are allowed."""
    for effects in (set[Effect](), {Effect.READ}, {Effect.READ, Effect.WRITE}, set(Effect)):
        who = caller("jane", effects=frozenset(effects))
        for tool, (_, spec) in tools().items():
            for effect in Effect:
                found = example("default").ask
                server = tools()[tool][0]
                call = CallOfTool(server, tool, who, Resource(), {}, time=MONDAY)
                allowed = found(call.question(effect, Resource(None, None, None, None, None, None), "none")).allows
                assert allowed == (effect in effects), f"{spec.name} {effect}"


def test_the_examples_stand_together() -> None:
    """As a directory they are one policy: no id twice."""
    assert len(read_rules(read_files([EXAMPLES]), vocabulary()).rules) >= 18
