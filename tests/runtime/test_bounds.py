"""What others wrote is bounded before it is constructed: no text costs more than its own size."""

import contextlib
import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_controller.spec.model import Platform
from kmcp_controller.spec.parse import RefusedError
from kmcp_controller.spec.parse import parse as parse_server
from kmcp_runtime import ToolFailure, YamlError, json_text, read_yaml, yaml_text
from kmcp_runtime.catalog import InvalidDocumentError, documents
from kmcp_runtime.helm import values
from kmcp_runtime.kube import config, manifests
from tests.slowness import scaled

NAMES = "abcdefgh"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in itertools.pairwise(NAMES)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join(['*' + before] * 9)}]}}\n" for before, name in itertools.pairwise(NAMES)
)
DEEP = (
    "[" * 100_000,
    "- " * 100_000,
    "? " * 100_000,
    "{a: " * 100_000,
    "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 400)),
)


@pytest.mark.parametrize("text", [BOMB, MERGES, "&a [*a]", "a: &a {<<: *a}", *DEEP])
def test_s2_yaml_that_unfolds_or_nests_is_refused_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(yaml_text.TooLarge) as caught:
        read_yaml(text)
    assert time.monotonic() - began < scaled(0.5)
    assert caught.value.problem_mark is not None
    with pytest.raises(yaml_text.TooLarge):
        list(yaml_text.documents(text))


def test_s2_every_way_in_refuses_with_place_and_limit() -> None:
    for read in (manifests.parse, values.parsed, lambda text: manifests.parse_value(text, "patch")):
        with pytest.raises(ToolFailure, match=r"line 6.*more than 200,000 values"):
            read(BOMB)
    with pytest.raises(InvalidDocumentError, match=r"6: .*more than 200,000 values"):
        list(documents(BOMB))
    with pytest.raises(ValueError, match="more than 200,000 values"):
        values.read(BOMB)


def test_s2_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(BOMB)
    with pytest.raises(ToolFailure, match="line 6: it has more than 200,000 values"):
        config.load_contexts(str(path))


def test_s2_ordinary_aliases_work() -> None:
    assert read_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, z: 2}") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "z": 2}}
    assert list(yaml_text.documents("a: &a 1\n---\nb: &a 2\nc: *a")) == [(1, {"a": 1}), (3, {"b": 2, "c": 2})]


@pytest.mark.parametrize(
    ("first", "next_one"),
    [("[1]", "[*x{}]"), ("{k: 1}", "{{k: *x{}}}"), ("{k: 1}", "{{<<: *x{}}}"), ("[1]", "[{{a: [*x{}]}}]")],
)
def test_s2_aliases_that_unfold_to_many_levels(first: str, next_one: str) -> None:
    chain = [f"x0: &x0 {first}", *(f"x{at + 1}: &x{at + 1} {next_one.format(at)}" for at in range(300))]
    with pytest.raises(YamlError, match="nested deeper than 128 levels"):
        read_yaml("\n".join(chain))
    with pytest.raises(YamlError, match="nested deeper than 128 levels"):
        read_yaml("\n".join(["twice: &y 1", "again: &y 2", *chain]))


def test_s2_the_deepest_by_aliases_is_as_deep_as_without() -> None:
    half = "[" * 63 + "]" * 63
    assert read_yaml(f"a: &a {half}\nb: {'[' * 64}*a{']' * 64}")["b"] is not None
    with pytest.raises(YamlError, match="nested deeper than 128 levels"):
        read_yaml(f"a: &a {half}\nb: {'[' * 65}*a{']' * 65}")


def test_s2_a_text_of_more_bytes_than_any_manifest() -> None:
    with pytest.raises(YamlError, match="larger than 4 MiB"):
        read_yaml("a: " + "x" * (5 << 20))


@pytest.mark.parametrize(
    ("text", "line"), [("a: [", 1), ("x: 1\na: {\n\n\n", 2), ("a:\n  - 'x\n", 2), ('a: "b', 1), ("a: {b: [1,\n 2", 1)]
)
def test_what_is_not_closed_is_reported_where_it_begins(text: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml(text)
    assert getattr(caught.value, "problem_mark").line + 1 == line  # noqa: B009  # its class declares no fields


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * 129 + "]" * 129, '{"a":' * 500 + "1" + "}" * 500]
)
def test_s2_deep_json_is_a_value_error(text: str) -> None:
    for given_as in (text, text.encode()):
        with pytest.raises(ValueError, match=r"nested deeper than 128|Expecting"):
            json_text.read(given_as)


def test_json_of_the_largest_depth_is_read() -> None:
    text = "[" * 128 + "]" * 128
    assert json.dumps(json_text.read(text)) == text
    assert json_text.read('{"a": "[[[[[[[[[["}') == {"a": "[" * 10}


def test_s5_twenty_thousand_env_entries_are_linear() -> None:
    def manifest(count: int) -> dict[str, object]:
        env = [{"name": f"V{number}", "value": "x"} for number in range(count)]
        env.append({"name": "V7", "value": "y"})
        deployment = {"image": "example/x:1", "port": 3000}
        return {
            "apiVersion": "kagent.dev/v1alpha1",
            "kind": "MCPServer",
            "metadata": {"name": "many"},
            "spec": {"transportType": "http", "deployment": deployment, "extensions": {"env": env}},
        }

    began = time.monotonic()
    with pytest.raises(RefusedError, match="V7 is listed twice"):
        parse_server(manifest(20_000), Platform())
    assert time.monotonic() - began < scaled(1.0)


TEXTS = st.text() | st.text(alphabet="[]{}&*a:,- \n\t'\"|>!?%@<#0.~", max_size=60)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    for read in (manifests.parse, values.parsed, lambda text: manifests.parse_value(text, "patch")):
        with contextlib.suppress(ToolFailure):
            read(text)
    with contextlib.suppress(InvalidDocumentError):
        list(documents(text))
    with contextlib.suppress(ValueError):
        json_text.read(text)
