"""What is wrong with a policy's text, with its line and column; and the offline command."""

import json
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime import Effect, commands
from kmcp_runtime.policy.reading import LARGEST_BYTES, PolicyError, read_files, read_rules
from tests.policy.deciding import EXAMPLES, caller, decided, guard_of, of, rules

GOOD = 'permit (principal, action, resource) when { context.effect == Effect::"read" };\n'
HEAD = "permit (principal, action, resource) when { "


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('permit (principal, action == Action::"k8s_delte_resource", resource);', "1:38", "k8s_delete_resource"),
        ('permit (principal, action in [Action::"k8s_scale", Action::"nope"], resource);', "1:60", "nope"),
        (f'{GOOD}forbid (principal, action, resource in Server::"kubernets");', "2:48", "did you mean kubernetes"),
        ('permit (principal in Grop::"a", action, resource);', "1:22", "Grop"),
        ("permit (principal is Usr, action, resource);", "1:22", "Usr"),
        (HEAD + 'resource.nmespace == "a;b" };', "1:54", "did you mean namespace"),
        (HEAD + 'context.efect == Effect::"read" };', "1:53", "did you mean effect"),
        (HEAD + 'context.effect == Effect::"reed" };', "1:71", "did you mean read"),
        (HEAD + 'context.approval == Approval::"askd" };', "1:75", "did you mean asked"),
        (HEAD + 'principal.account.namespace == "ci" };', "1:55", "optional attribute `account`"),
        (HEAD + "context.arguments has replcas };", "1:67", "did you mean replicas"),
        (HEAD + "principal has nothing_like_it };", "1:59", "principal never has"),
        (HEAD + "resource.name == 5 };", "1:1", "types Long and String are not compatible"),
        (HEAD + "context.arguments.nothing == 1 };", "1:63", "nothing"),
        ("permit (principal, action, resource) unles { true };", "1:38", "invalid policy condition: unles"),
        ("permit (principal action, resource);", "1:19", "unexpected token `action`"),
        (f'// ; " {{\n{GOOD}{HEAD}resource.name == }};', "3:62", "unexpected token `}`"),
        (HEAD + "nonsense(1) };", "1:45", "`nonsense` is not a valid function"),
        ('@id("a") @id("b") permit (principal, action, resource);', "1:2", "duplicate annotation"),
        (f'@id("a") {GOOD}@id("a") {GOOD}', "2:5", "the id 'a' is that of the rule at"),
        (GOOD + "permit", "2:1", "not complete"),
        (GOOD + '"', "2:1", "invalid token"),
    ],
)
def test_a_fault_has_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        rules(text)
    found = [(f"{fault.line}:{fault.column}", fault.text) for fault in caught.value.faults]
    assert any(at == place and words in said for at, said in found), found


def test_rules_without_an_id_in_files_of_one_name_are_no_repetition(tmp_path: Path) -> None:
    files = [tmp_path / name / "policy.cedar" for name in ("one", "other")]
    for file in files:
        file.parent.mkdir()
        file.write_text("permit (principal, action, resource) when { context.arguments has id };")
    assert len(read_rules(read_files(files)).rules) == 2


def test_the_names_of_many_deciding_rules_are_bounded() -> None:
    policy = rules("".join(f'@id("rule {number}") forbid (principal, action, resource);' for number in range(300)))
    guard, _ = guard_of(policy, caller(), "k8s_scale", {"name": "web", "replicas": 1})
    decision = guard.decide(Effect.WRITE, of("deployments", "a"))
    assert decision.names == ", ".join(f"rule {number}" for number in range(10)) + " and 290 more"
    failure = guard.say(decision, Effect.WRITE, of("deployments", "a"))
    assert failure.details["rule"] == decision.names
    assert '"rule 9" and 290 more forbids it' in failure.message
    assert "rule 10" not in failure.message


def test_every_fault_is_found_at_once() -> None:
    text = HEAD + 'resource.nme == "x" };\n' + HEAD + 'context.efect == Effect::"read" };\n' + GOOD
    with pytest.raises(PolicyError) as caught:
        rules(text)
    assert [fault.line for fault in caught.value.faults] == [1, 2]


def check(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = commands.main(["policy", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_check_says_what_is_wrong_and_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.cedar", tmp_path / "bad.cedar"
    good.write_text(GOOD)
    bad.write_text(HEAD + 'resource.nme == "x" };')
    assert check("check", str(good), capsys=capsys)[:2] == (0, "1 rules, no faults\n")
    code, out, err = check("check", str(good), str(bad), capsys=capsys)
    assert (code, out) == (1, "")
    assert err.startswith(f"{bad}:1:54: ")
    code, out, _ = check("check", "--json", str(tmp_path), capsys=capsys)
    (fault,) = json.loads(out)["faults"]
    assert (code, fault["file"], fault["line"], fault["column"]) == (1, str(bad), 1, 54)
    assert check("check", str(tmp_path / "absent.cedar"), capsys=capsys)[0] == 1
    (tmp_path / "empty").mkdir()
    assert "no rule" in check("check", str(tmp_path / "empty"), capsys=capsys)[2]


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe", "not UTF-8"), (b" " * (LARGEST_BYTES + 1), "more than 8 MiB")]
)
def test_a_file_that_is_no_policy(
    tmp_path: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.cedar"
    path.write_bytes(content)
    code, _, err = check("check", str(path), capsys=capsys)
    assert code == 1
    assert words in err


QUOTA = {"resource_type": "quota", "resource_name": "q", "labels": {"a": "b"}, "namespace": "shop"}
TEAM = ["explain", str(EXAMPLES / "one-team.cedar"), "--principal", "sam", "--group", "team-shop"]


@pytest.mark.parametrize(
    ("tool", "arguments", "more", "code", "words"),
    [
        ("helm_get_release", {"name": "web", "namespace": "shop"}, [], 0, "allow: allowed by shop-in-its-namespaces"),
        ("helm_get_release", {"name": "web", "namespace": "other"}, [], 1, "no rule permits it"),
        ("helm_list_releases", {}, [], 1, "leaves open (namespace)"),
        ("helm_list_releases", {}, [], 1, "the policy allows it with namespace=shop"),
        ("k8s_get_resources", {"resource_type": "po", "namespace": "shop-a"}, [], 0, "allow"),
        ("k8s_get_resources", {"resource_type": "pods"}, [], 3, "depends"),
        ("k8s_get_resources", {"resource_type": "widgets", "namespace": "shop"}, [], 0, "allow"),
        ("k8s_label_resource", QUOTA, [], 1, "quotas-are-not-the-teams"),
        ("k8s_apply_manifest", {"manifest": "x", "namespace": "shop"}, ["--resource", "kind=roles"], 1, "forbids it"),
        ("k8s_get_resources", {"resource_type": "pods", "namespace": "shop"}, ["--effect", "destroy"], 0, "allow"),
        ("k8s_get_resurces", {}, [], 2, "did you mean"),
        ("k8s_get_resources", {"resource_typ": "pods"}, [], 2, "resource_typ"),
        ("k8s_get_resources", {"resource_type": "pods"}, ["--resource", "nme=x"], 2, "did you mean name"),
        ("k8s_get_resources", {"resource_type": "pods"}, ["--time", "soon"], 2, "is not a time"),
    ],
)  # fmt: skip
def test_explain_says_why(
    tool: str, arguments: dict[str, Any], more: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, out, err = check(*TEAM, "--tool", tool, "--arguments", json.dumps(arguments), *more, capsys=capsys)
    assert found == code, out + err
    assert words in out + err


def test_explain_answers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    given = json.dumps({"name": "web", "namespace": "shop"})
    code, out, _ = check(*TEAM, "--tool", "helm_uninstall", "--arguments", given, "--json", capsys=capsys)
    answer = json.loads(out)
    assert code == 0
    assert (answer["decision"], answer["effect"]) == ("allow", "destroy")
    assert answer["rules"][0] == {
        "id": "shop-in-its-namespaces",
        "effect": "permit",
        "file": str(EXAMPLES / "one-team.cedar"),
        "line": 4,
    }
    assert check(*TEAM, "--tool", "helm_uninstall", "--arguments", "{", capsys=capsys)[0] == 2


def test_a_policy_may_look_at_arguments_of_each_type() -> None:
    policy = rules(
        'permit (principal, action == Action::"k8s_scale", resource) when { context.arguments.replicas <= 3 };'
        'permit (principal, action == Action::"istio_delete_waypoint", resource)'
        ' when { context.arguments has names && ["a", "b"].containsAll(context.arguments.names) };'
        'permit (principal, action == Action::"helm_upgrade", resource) when { !context.arguments.install };'
    )
    web = of("deployments", "shop")
    for replicas, expected in ((3, "allow"), (4, "deny"), (2**63 - 1, "deny"), (2**70, "deny")):
        assert (
            decided(policy, caller(), "k8s_scale", {"name": "w", "replicas": replicas}, "write", resource=web)
            == expected
        )
    upgrade = {"name": "w", "chart": "x/y", "namespace": "shop"}
    assert decided(policy, caller(), "helm_upgrade", {**upgrade, "install": False}, "write") == "allow"
    assert decided(policy, caller(), "helm_upgrade", {**upgrade, "install": True}, "write") == "deny"
    for names, expected in ((["a"], "allow"), (["a", "c"], "deny")):
        given = {"namespace": "shop", "names": names}
        assert decided(policy, caller(), "istio_delete_waypoint", given, "destroy") == expected
