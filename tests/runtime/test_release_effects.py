"""D1: what a new revision of a release does to the objects of the one before."""

import pytest

from kmcp_runtime import Effect
from kmcp_runtime.helm.release_effects import judge_removal, judge_revision

_CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b, c: d}\n"
_WEB = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: %s}\nspec: {replicas: %s}\n"
ONE, TWO = _CONFIG_MAP % "one", _CONFIG_MAP % "two"
KEPT = TWO.replace("{name: two}", "{name: two, annotations: {helm.sh/resource-policy: keep}}")


def _joined(*documents: str) -> str:
    return "---\n".join(documents)


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        (_joined(ONE, TWO), ONE, ["deletes ConfigMap a/two"]),
        (ONE, "", ["deletes ConfigMap a/one"]),
        (ONE, TWO, ["deletes ConfigMap a/one"]),
        # Another kind or another namespace is another object.
        (ONE, ONE.replace("ConfigMap", "Secret"), ["deletes ConfigMap a/one"]),
        (_WEB % ("x", 1), _WEB % ("y", 1), ["deletes Deployment x/web"]),
        (ONE, ONE.replace(", c: d", ""), ["removes key c of ConfigMap one"]),
        (_WEB % ("x", 2), _WEB % ("x", 0), ["scales Deployment x/web from 2 to 0"]),
        (
            "apiVersion: v1\nkind: List\nitems: [{kind: ConfigMap, metadata: {name: i}}]\n",
            "",
            ["deletes ConfigMap a/i"],
        ),
    ],
)
def test_D1_what_a_revision_takes_away_destroys(before: str, after: str, losses: list[str]) -> None:
    verdict = judge_revision("a", "web", before, after)
    assert (verdict.effect, list(verdict.reasons)) == (Effect.DESTROY, losses)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", _joined(ONE, TWO)),
        (ONE, _joined(ONE, TWO)),
        (_joined(ONE, TWO), _joined(TWO, ONE)),
        (ONE, ONE.replace("c: d", "c: other, e: f")),
        # Helm leaves it where it is.
        (_joined(ONE, KEPT), ONE),
        (_WEB % ("x", 1), _WEB % ("x", 3)),
        # Another version of the API is the same object.
        (_WEB % ("x", 1), (_WEB % ("x", 1)).replace("apps/v1", "apps/v1beta2")),
        (ONE, ONE),
    ],
)
def test_D1_what_only_adds_is_no_destruction(before: str, after: str) -> None:
    verdict = judge_revision("a", "web", before, after)
    assert verdict.effect is Effect.WRITE
    assert verdict.reasons == (f"{'upgrades' if before else 'installs'} release a/web",)


@pytest.mark.parametrize(
    "odd", ["metadata: [1]", "metadata: {name: x}\nspec: [1]", "metadata: x\ndata: [a]", "spec: 5"]
)
def test_an_odd_manifest_is_judged_all_the_same(odd: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\n{odd}\n"
    for before, after in ((text, ONE), (ONE, text), ("", text), (text, f"{text}status: 1\n")):
        assert judge_revision("a", "web", before, after).effect in (Effect.WRITE, Effect.DESTROY)


def test_D1_an_uninstall_destroys() -> None:
    verdict = judge_removal("a", "web")
    assert (verdict.effect, verdict.reasons) == (Effect.DESTROY, ("uninstalls release a/web with its objects",))
