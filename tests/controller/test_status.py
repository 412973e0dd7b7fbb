"""Conditions: a table of what was observed and what it means."""

from dataclasses import replace

import pytest

from kmcp_controller.status import Condition, Discovery, Observed, Rollout, conditions, merge
from kmcp_runtime.catalog import Drift, Fault

UP = Rollout(replicas=1, updated=1, available=1)
LISTED = Discovery("Discovered", "21 tools")


def found(observed: Observed) -> dict[str, Condition]:
    return {each.type: each for each in conditions(observed)}


def test_all_six_in_order() -> None:
    types = [each.type for each in conditions(Observed())]
    assert types == ["Accepted", "ResolvedRefs", "Programmed", "Ready", "ToolsDiscovered", "CatalogMatched"]


def test_everything_well() -> None:
    states = found(Observed(rollout=UP, discovery=LISTED, drift=Drift()))
    assert {each.status for each in states.values()} == {"True"}
    assert states["Ready"].reason == "Available"


def test_faults_are_all_in_accepted_and_nothing_else_is_claimed() -> None:
    faults = (Fault(("spec", "a"), "one; do"), Fault(("spec", "b"), "two; do"))
    states = found(Observed(faults=faults, rollout=UP))
    assert (states["Accepted"].status, states["Accepted"].reason) == ("False", "InvalidConfig")
    assert states["Accepted"].message == "spec.a: one; do\nspec.b: two; do"
    assert (states["ResolvedRefs"].status, states["ResolvedRefs"].reason) == ("Unknown", "NotAccepted")
    assert (states["Programmed"].status, states["Programmed"].reason) == ("False", "NotAccepted")
    assert (states["Ready"].status, states["Ready"].reason) == ("False", states["Accepted"].reason)


@pytest.mark.parametrize(
    ("rollout", "reason", "message"),
    [
        (None, "PodsNotReady", "no Deployment yet"),
        (Rollout(wanted=0), "NotAvailable", "scaled to zero"),
        (Rollout(wanted=3, replicas=4, updated=1, available=3), "NotAvailable", "rolling out: 1 of 3 updated"),
        (Rollout(current=False, replicas=1, updated=1, available=1), "NotAvailable", "rolling out: 1 of 1 updated"),
        (Rollout(replicas=1, updated=1, available=1, deadline_exceeded=True), "NotAvailable", "rollout stalled"),
        (Rollout(replicas=1, updated=1, cause="exit code 1"), "NotAvailable", "exit code 1"),
        (Rollout(replicas=1, updated=1, terminating=2), "NotAvailable", "0 of 1 available (2 terminating)"),
        (
            Rollout(replicas=1, updated=1, available=1, backend="no cluster; set KUBECONFIG"),
            "NotAvailable",
            "backend: no cluster; set KUBECONFIG",
        ),
    ],
)
def test_ready_is_exact(rollout: Rollout | None, reason: str, message: str) -> None:
    ready = found(Observed(rollout=rollout))["Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", reason, message)


def test_not_ready_while_an_object_is_not_applied() -> None:
    states = found(Observed(rollout=UP, failed=(("ServiceFailed", "Service: no"), ("RoleFailed", "Role: no"))))
    assert (states["Programmed"].reason, states["Programmed"].message) == ("ServiceFailed", "Service: no; Role: no")
    assert states["Ready"].status == "False"


@pytest.mark.parametrize(
    ("cause", "failed", "reason", "ready"),
    [
        ("", (), "Waiting", "the Deployment waits until other rollouts have finished"),
        ("exit code 1", (), "Waiting", "exit code 1"),
        ("", (("ServiceFailed", "Service: no"),), "ServiceFailed", "Service: no"),
    ],
)
def test_while_a_rollout_waits_for_its_turn(
    cause: str, failed: tuple[tuple[str, str], ...], reason: str, ready: str
) -> None:
    states = found(Observed(rollout=replace(UP, current=False, cause=cause), failed=failed, waiting=True))
    assert states["Programmed"].reason == reason
    assert (states["Ready"].status, states["Ready"].message) == ("False", ready)


def test_references() -> None:
    missing = (("SecretNotFound", "Secret a"), ("ConfigMapNotFound", "ConfigMap b"))
    state = found(Observed(missing=missing))["ResolvedRefs"]
    assert (state.status, state.reason, state.message) == ("False", "SecretNotFound", "Secret a; ConfigMap b")
    assert found(Observed(missing=None))["ResolvedRefs"].reason == "NotChecked"


@pytest.mark.parametrize(
    ("reason", "status"),
    [("Discovered", "True"), ("Pending", "Unknown"), ("Disabled", "Unknown"), ("NotMCP", "False")],
)
def test_discovery(reason: str, status: str) -> None:
    assert found(Observed(discovery=Discovery(reason)))["ToolsDiscovered"].status == status


@pytest.mark.parametrize(
    ("drift", "blocked", "status", "reason"),
    [
        (None, "", "Unknown", "NoReference"),
        (Drift(), "", "True", "Matched"),
        (Drift(added=("a",)), "", "False", "Drift"),
        (Drift(removed=("a",), breaking=(("a", "removed"),)), "", "False", "BreakingDrift"),
        (Drift(added=("a",)), "sha256:1", "False", "Blocked"),
    ],
)
def test_catalog(drift: Drift | None, blocked: str, status: str, reason: str) -> None:
    state = found(Observed(discovery=LISTED, drift=drift, blocked=blocked))["CatalogMatched"]
    assert (state.status, state.reason) == (status, reason)
    assert found(Observed(drift=drift))["CatalogMatched"].reason == "NotDiscovered"


def test_blocked_is_told_while_nothing_is_ready_and_says_what_is_offered() -> None:
    drift = Drift(added=tuple(f"tool_{number}" for number in range(500)))
    held = found(Observed(drift=drift, blocked="sha256:" + "a" * 64))["CatalogMatched"]
    assert (held.status, held.reason) == ("False", "Blocked")
    assert held.message.endswith("; offered sha256:" + "a" * 64)
    assert len(held.message) <= 1024


def test_a_transition_is_a_change_of_status() -> None:
    first = merge([], conditions(Observed()), 1, "t1")
    second = merge(first, conditions(Observed(rollout=UP)), 2, "t2")
    times = {each["type"]: each["lastTransitionTime"] for each in second}
    assert times["Ready"] == "t2"
    assert times["Accepted"] == "t1"
    assert {each["observedGeneration"] for each in second} == {2}
