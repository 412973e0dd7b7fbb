"""The one dialect of YAML, against what sigs.k8s.io/yaml v1.6.0 (kubectl's reader) made of the same texts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import YamlError, read_yaml, write_yaml, yaml_text
from kmcp_runtime.catalog import InvalidDocumentError, documents
from kmcp_runtime.kube.manifests import parse
from kmcp_runtime.yaml_text import write_all

# Printed by `yaml.YAMLToJSON` for each text on the left.
KUBECTL = [
    ("y", "true"),
    ("yes", "true"),
    ("On", "true"),
    ("N", "false"),
    ("0o400", "256"),
    ("1e3", "1000"),
    ("010", "8"),
    ("08", "8"),
    ("1_000", "1000"),
    ("12:30", '"12:30"'),
    ("2026-01-01", '"2026-01-01"'),
    ("0x1F", "31"),
    ("0b11", "3"),
    ("1.0", "1"),
    (".5", "0.5"),
    ("=", '"="'),
    ("!!binary aGk=", '"hi"'),
    ("!!set {a, b}", '{"a":null,"b":null}'),
    ("18446744073709551616", "18446744073709551616"),  # printed with fewer digits, the same float
    ('"yes"', '"yes"'),
    ("1.", "1"),
    ("+5", "5"),
    ("-0o7", "-7"),
    ("0o9", '"0o9"'),
    ("~", "null"),
    ("1e", '"1e"'),
    ("1.5e3", "1500"),
    ("0x", '"0x"'),
    ("_1", '"_1"'),
    ("1_.5", "1.5"),
    ("123456789012345678901234567890", "1.2345678901234568e+29"),
    ("1.10", "1.1"),
    ("!Ref y", '"y"'),
    ('!!int "5"', "5"),
    ("!!str 5", '"5"'),
    ("!!float 5", "5"),
    ("{yes: 1}", '{"true":1}'),
    ("{1.5: 1}", '{"1.5":1}'),
    ("{1e3: 1}", '{"1000":1}'),
    ("{17.0: 1}", '{"17":1}'),
    ("{0x11: 1}", '{"17":1}'),
    ("{a: 1, a: 2}", '{"a":2}'),
    ("{<<: {a: 1}, b: 2}", '{"a":1,"b":2}'),
    ("- =", '["="]'),
    ("-0b1", "-1"),
    ("0B1", "1"),
    ("0X1f", "31"),
    ("1e1000", '"1e1000"'),
    ("1e21", "1e+21"),
    ("1e400", '"1e400"'),
    ("-.5", "-0.5"),
    ("+.5", "0.5"),
    ("..5", '"..5"'),
    (".5e3", "500"),
    (".e", '".e"'),
    ("00", "0"),
    ("-00", "0"),
    ("0_", "0"),
    ("9007199254740993", "9007199254740993"),
    ("1.0e20", "100000000000000000000"),
    ("123456789.123456789", "123456789.12345679"),
    ("1e-7", "1e-7"),
    ("0.1", "0.1"),
    ("0.000001", "0.000001"),
    ("!!timestamp 2026-01-01", '"2026-01-01"'),
    ("!!omap [a: 1]", '[{"a":1}]'),
    ("!!bool yes", "true"),
    ("0b-1", "-1"),
    ("0_b1", "1"),
    ("0b+1_0", "2"),
    ("!!int 0x1F", "31"),
    ("!!set a", '"a"'),
    ("!!map [a]", '["a"]'),
    ("!!str {a: 1}", '{"a":1}'),
    ("!!binary [1]", "[1]"),
    ("!!timestamp 2026-1-1T5:4:3.5Z", '"2026-1-1T5:4:3.5Z"'),
    ("!!timestamp 2024-02-29", '"2024-02-29"'),
    ("!!timestamp 2026-02-28 5:4:3", '"2026-02-28 5:4:3"'),
    ("[&a 1, *a, &a 2, *a]", "[1,1,2,2]"),
    ("{p: &a {k: 1}, q: &a [2], r: *a}", '{"p":{"k":1},"q":[2],"r":[2]}'),
    ("!!binary 11TrueNo", '"\ufffdT\ufffd\ufffd\ufffdh"'),
    (".1_000", "0.1"),
    ("._1", '"._1"'),
    (".1__0", '".1__0"'),
    ("{k: 5, <<: {k: 1, l: 2}}", '{"k":1,"l":2}'),
    ("{<<: {k: 1}, k: 5, <<: {l: 2}}", '{"k":5,"l":2}'),
    ("{<<: [{k: 1}, {k: 2, l: 3}]}", '{"k":1,"l":3}'),
    ("{<<: {<<: {k: 1}, l: 2}}", '{"k":1,"l":2}'),
    ('{"<<": 1}', '{"<<":1}'),
    ("{1e5: 1}", '{"100000":1}'),
    ("{1e6: 1}", '{"1e+06":1}'),
    ("{1e21: 1}", '{"1e+21":1}'),
    ("{1234567.5: 1}", '{"1.2345675e+06":1}'),
    ("{0.00001: 1}", '{"1e-05":1}'),
    ("{16777217.0: 1}", '{"1.6777216e+07":1}'),
    ("{3.14159265358979: 1}", '{"3.1415927":1}'),
    ("{.inf: 1, -.inf: 2, .nan: 3}", '{".inf":1,"-.inf":2,".nan":3}'),
    ("{1e39: 1}", '{".inf":1}'),
    ("{-0.0: 1}", '{"-0":1}'),
    ("{1_0.5: 1}", '{"10.5":1}'),
]
REFUSED = [
    "!!int",
    "!!int null",
    "!!int 1.0",
    "!!float 08e",
    "!!float yes",
    "!!null +.5",
    "!!bool 1",
    "!!timestamp",
    "!!timestamp on",
    "!!timestamp 2026-02-29",
    "!!timestamp 2026-13-01",
    "!!timestamp 2026-00-01",
    "!!timestamp 2026-01-01 5:4:3Z",
    "!!timestamp 2026-01-01T5:4:3",
    "!!binary é",
    "!!binary aG k=",
    "{<<: 1}",
    "{<<: [{a: 1}, 2]}",
]


@pytest.mark.parametrize(("text", "expected"), KUBECTL, ids=[text for text, _ in KUBECTL])
def test_values_are_those_that_kubectl_reads(text: str, expected: str) -> None:
    found = read_yaml(text, repeated_keys=True)
    assert found == json.loads(expected)
    assert isinstance(found, bool) is isinstance(json.loads(expected), bool)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("text", REFUSED)
def test_what_kubectl_refuses_is_refused(text: str) -> None:
    with pytest.raises(YamlError):
        read_yaml(text, repeated_keys=True)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x85\u2028\r\n\t :#'-|>&*!%@`"), max_size=12))
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    value = {"text": text, text: [text]}
    assert read_yaml(write_yaml(value)) == value


@pytest.mark.parametrize("text", [text for text, _ in KUBECTL])
def test_a_text_that_looks_like_another_type_is_read_back_as_a_text(text: str) -> None:
    assert read_yaml(write_yaml({text: text})) == {text: text}


@pytest.mark.parametrize(
    "text",
    [".nan", "-.inf", "{~: 1}", "{[a]: 1}", "{a: 1, a: 2}", "{1: a, 0x1: b}", "a: b: c", "!!python/object:os.x {}"],
)
def test_what_json_cannot_hold_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml(f"# comment\n{text}")
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("digits", ["1" * 5000, "-" + "9" * 5000, "1" * 4300 + "_0", "+" + "8" * 400_000])
def test_digits_without_end_are_a_text_as_there(digits: str) -> None:
    assert read_yaml(f"? {digits}\n: {digits}\n") == {digits: digits}
    assert read_yaml(write_yaml({"a": digits})) == {"a": digits}
    with pytest.raises(YamlError, match="not of the type !!int"):
        read_yaml(f"a: !!int {digits}")


def test_a_key_may_replace_what_a_merge_brings_in() -> None:
    assert read_yaml("base: &b {a: 1, c: 2}\nown: {<<: *b, a: 3}")["own"] == {"a": 3, "c": 2}


def test_several_lines_are_a_block_and_nothing_is_an_anchor() -> None:
    shared = {"b": "y"}
    text = write_yaml({"a": "one\ntwo\n", "x": shared, "z": shared})
    assert text == "a: |\n  one\n  two\nx:\n  b: 'y'\nz:\n  b: 'y'\n"


def test_documents_are_written_and_read_in_their_order() -> None:
    assert [found for _, found in yaml_text.documents(write_all([{"a": 1}, {"b": 2}]))] == [{"a": 1}, {"b": 2}]


ODD = "{mac: 52:54:00:12:34:56, window: 10:30, mode: 0o400, size: 1e3, on: yes, plain: =, day: 2026-01-01}"
MEANT: dict[str, Any] = {
    "mac": "52:54:00:12:34:56",
    "window": "10:30",
    "mode": 256,
    "size": 1000,
    "plain": "=",
    "day": "2026-01-01",
}


def test_a_manifest_and_a_file_of_the_controller_are_read_alike() -> None:
    (applied,) = parse(f"apiVersion: v1\nkind: Odd\nmetadata: {{name: a}}\nspec: {ODD}")
    assert applied.content["spec"] == MEANT | {"true": True}
    (local,) = documents(f"spec: {ODD}")
    assert local.data["spec"] == MEANT | {"true": True}
    with pytest.raises(InvalidDocumentError, match="not a number that JSON has; put it in quotes"):
        list(documents("a: .inf"))
