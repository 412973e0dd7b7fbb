"""Values of the chart for servers that act as their callers."""

from typing import Any

import pytest

from tests.chart.rendering import Chart, HelmError, Object, of_kind

NAME = "kmcp-impersonation"


def rules_of(objects: list[Object]) -> list[Any]:
    rules: list[Any] = of_kind(objects, "ClusterRole")[NAME]["rules"]
    return rules


def settings(objects: list[Object], name: str) -> dict[str, str]:
    found: dict[str, str] = of_kind(objects, "MCPServer")[name]["spec"]["deployment"]["env"]
    return found


def test_by_default_no_server_may_act_as_another(chart: Chart) -> None:
    objects = chart.rendered({})
    assert NAME not in of_kind(objects, "ClusterRole")
    assert "KMCP_ACT_AS" not in settings(objects, "kmcp-kubernetes")
    assert not [
        rule
        for role in of_kind(objects, "ClusterRole").values()
        for rule in role["rules"]
        if "impersonate" in rule["verbs"]
    ]


def test_a_server_that_acts_as_its_callers_has_no_other_right(chart: Chart) -> None:
    objects = chart.rendered({"callers": {"actAs": "impersonate"}})
    assert settings(objects, "kmcp-kubernetes")["KMCP_ACT_AS"] == "impersonate"
    assert rules_of(objects)[0]["resources"] == ["users", "groups", "serviceaccounts"]
    bindings = of_kind(objects, "ClusterRoleBinding")
    held = {
        name
        for name, binding in bindings.items()
        for subject in binding["subjects"]
        if subject["name"] == "kmcp-kubernetes"
    }
    assert held == {NAME, "kmcp-token-review"}


def test_it_may_be_held_to_some(chart: Chart) -> None:
    only = {"users": ["jane"], "groups": ["dev"], "serviceAccounts": ["agent"]}
    rules = rules_of(chart.rendered({"callers": {"actAs": "impersonate", "impersonate": only}}))
    named = {rule["resources"][0]: rule.get("resourceNames") for rule in rules if rule["apiGroups"] == [""]}
    assert named["users"] == ["jane"]
    assert named["serviceaccounts"] == ["agent"]
    assert set(named["groups"]) >= {"dev", "system:authenticated", "system:serviceaccounts:kagent"}
    assert all(named.values())


def test_a_token_that_is_passed_on_needs_no_right_at_all(chart: Chart) -> None:
    objects = chart.rendered({"callers": {"actAs": "passthrough"}})
    assert settings(objects, "kmcp-kubernetes")["KMCP_ACT_AS"] == "passthrough"
    assert NAME not in of_kind(objects, "ClusterRole")


def test_nobody_is_acted_as_whom_nothing_confirms(chart: Chart) -> None:
    with pytest.raises(HelmError, match="nothing says who a caller is"):
        chart.rendered({"callers": {"actAs": "impersonate"}, "authentication": {"enabled": False}})
