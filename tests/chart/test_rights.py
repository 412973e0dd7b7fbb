"""Who may do what where, of everything that the chart renders: the union of its roles and bindings (V2, V3)."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Chart, Object, of_kind

Right = tuple[str, str, str, str]  # namespace (empty: the whole cluster), group, resource, verb
EVERY = ("kubernetes", "prometheus", "grafana", "helm", "argo", "istio", "cilium", "querydoc", "clock")
BUILT_IN = {"view", "edit"}
OPEN = yaml.safe_load((CHART / "values.yaml").read_text())["rbac"]["kinds"]
SPACES = ["team-a", "team-b"]
POLICIES = {"validatingadmissionpolicies", "validatingadmissionpolicybindings"}  # of one name, read by the controller
ASKING = {"tokenreviews", "subjectaccessreviews"}  # created to be answered; nothing is kept


def rights(objects: list[Object]) -> dict[str, set[Right]]:
    """By ServiceAccount; a built-in role that is bound is its name as the verb."""
    roles = {place(each): each["rules"] for each in objects if each["kind"] in ("Role", "ClusterRole")}
    found: dict[str, set[Right]] = {}
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        space, reference = binding["metadata"].get("namespace", ""), binding["roleRef"]
        where = space if reference["kind"] == "Role" else ""
        if reference["name"] in BUILT_IN:
            granted = {(space, "", "", reference["name"])}
        else:
            granted = set(each_right(space, roles[reference["kind"], where, reference["name"]]))
        for subject in binding["subjects"]:
            found.setdefault(subject["name"], set()).update(granted)
    return found


def place(found: Object) -> tuple[str, str, str]:
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def each_right(space: str, rules: Iterable[Object]) -> Iterator[Right]:
    for rule in rules:
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
            yield space, group, resource, verb


def everything(rbac: str) -> Object:
    return {
        name: {"enabled": True, "rbac": rbac if name == "kubernetes" or rbac != "edit" else "full"} for name in EVERY
    }


@pytest.mark.parametrize("scoped", ["none", "read"])
@pytest.mark.parametrize(
    ("rbac", "composed"), [("view", {}), ("edit", {}), ("full", {"enabled": True}), ("full", {"only": True})]
)
def test_V2_named_namespaces_give_nothing_beyond_them(chart: Chart, rbac: str, scoped: str, composed: Object) -> None:
    values = {
        "rbac": {"namespaces": SPACES, "clusterScoped": scoped},
        "servers": everything(rbac),
        "composed": composed,
    }
    objects = chart.rendered(values)
    for account, held in rights(objects).items():
        wide = {(group, resource, verb) for space, group, resource, verb in held if not space}
        assert {verb for _, resource, verb in wide if resource not in ASKING} <= {"get", "list", "watch"}, account
        assert not {resource for _, resource, _ in wide} & {"secrets", "pods", "pods/exec", "configmaps"}, account
        if scoped == "none":
            assert {resource for _, resource, _ in wide} <= {"tokenreviews", *POLICIES}, account
        home = {"kube-system", "istio-system"} if account in ("kmcp-cilium", "kmcp-istio", "kagent-tools") else set()
        assert {space for space, *_ in held} <= {"", "kmcp-system", *SPACES, *home}, account
    own = [each["metadata"]["name"] for each in objects if each["kind"] == "ClusterRoleBinding"]
    assert scoped == "read" or own == ["kmcp-controller-tenants", "kmcp-token-review"]


@pytest.mark.parametrize(
    ("spaces", "rbac", "roles"), [([], "view", "none"), (SPACES, "view", "bind"), ([], "full", "bind")]
)
def test_no_role_holds_a_wildcard(chart: Chart, spaces: list[str], rbac: str, roles: str) -> None:
    values: Object = {"rbac": {"namespaces": spaces, "serverRoles": roles}, "servers": everything(rbac)}
    for found in chart.rendered(values):
        for rule in found.get("rules") or () if found["kind"] in ("Role", "ClusterRole") else ():
            assert not [text for text in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]) if "*" in text]


def test_any_kind_is_what_the_platform_says(chart: Chart) -> None:
    kinds = [{"apiGroups": ["example.com"], "resources": ["widgets"]}, {"apiGroups": [""], "resources": ["nodes"]}]
    values = {"rbac": {"kinds": kinds}, "servers": {"kubernetes": {"rbac": "full"}}}
    held = rights(chart.rendered(values))["kmcp-kubernetes"]
    assert {("", "example.com", "widgets", verb) for verb in ("create", "delete", "get", "list", "patch")} <= held
    assert ("", "example.com", "widgets/scale", "patch") in held
    assert ("", "", "secrets", "get") not in held
    inside = rights(chart.rendered({**values, "rbac": {"kinds": kinds, "namespaces": ["team-a"]}}))["kmcp-kubernetes"]
    assert ("team-a", "example.com", "widgets", "patch") in inside
    assert not [each for each in inside if each[2] == "nodes"]
    everything_there_is = [{"apiGroups": ["*"], "resources": ["*"]}]
    wide = rights(chart.rendered({**values, "rbac": {"kinds": everything_there_is}}))["kmcp-kubernetes"]
    assert ("", "*", "*", "patch") in wide


@pytest.mark.parametrize(
    ("spaces", "rbac", "given"),
    [
        ([], "view", {}),
        (SPACES, "full", {}),
        (SPACES, "view", {"namespace": "net"}),
        ([], "full", {"values": {"KMCP_CILIUM_NAMESPACE": "net"}}),
    ],
)
def test_V3_commands_in_pods_and_secrets_of_cilium_are_where_cilium_is(
    chart: Chart, spaces: list[str], rbac: str, given: Object
) -> None:
    servers = {"kubernetes": {"enabled": False}, "cilium": {"enabled": True, "rbac": rbac, **given}}
    objects = chart.rendered({"rbac": {"namespaces": spaces}, "servers": servers})
    held = rights(objects)["kmcp-cilium"]
    home = "net" if given else "kube-system"
    assert {space for space, _, resource, _ in held if resource in ("pods/exec", "secrets")} == {home}
    assert (home, "", "pods", "list") in held or ("", "", "pods", "list") in held, "or it finds no agent"
    assert ("" if not spaces else "team-a", "cilium.io", "ciliumnetworkpolicies", "list") in held
    deployment = of_kind(objects, "MCPServer")["kmcp-cilium"]["spec"]["deployment"]
    assert deployment["env"]["KMCP_CILIUM_NAMESPACE"] == home


def test_V3_the_controller_reads_secrets_only_where_mcpservers_may_be(chart: Chart) -> None:
    for spaces, where in (([], {""}), (SPACES, {"kmcp-system", *SPACES})):
        held = rights(chart.rendered({"rbac": {"namespaces": spaces}}))["kmcp"]
        secrets = {(space, verb) for space, _, resource, verb in held if resource == "secrets"}
        assert secrets == {(space, "get") for space in where}, "by name: it cannot list them"


def test_V14_composed_alone_has_no_twins(chart: Chart) -> None:
    objects = chart.rendered({"composed": {"only": True}, "servers": everything("full")})
    assert list(of_kind(objects, "MCPServer")) == ["kagent-tools"]
    held = rights(objects)
    assert held.keys() == {"kmcp", "kagent-tools"}, "nobody has rights who does not run"
    beside = rights(chart.rendered({"composed": {"enabled": True}, "servers": everything("full")}))
    assert held["kagent-tools"] == beside["kagent-tools"]
    assert {f"kmcp-{name}" for name in EVERY} <= beside.keys()


REFUSED: list[tuple[Object, str]] = [
    ({"clock": {"enabled": True, "namespace": "net"}}, "its backend is in no namespace that the chart would need"),
    (
        {"cilium": {"enabled": True, "namespace": "a", "values": {"KMCP_CILIUM_NAMESPACE": "b"}}},
        "servers.cilium.namespace: differs from values.KMCP_CILIUM_NAMESPACE; keep one",
    ),
    ({"cilium": {"enabled": True, "namespace": "A.b"}}, "/servers/cilium/namespace"),
]


@pytest.mark.parametrize(("servers", "complaint"), REFUSED)
def test_a_namespace_that_cannot_be_is_refused(chart: Chart, servers: Any, complaint: str) -> None:
    assert complaint in chart.refused({"servers": servers})
