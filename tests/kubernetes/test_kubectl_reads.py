"""YAML and JSON as the real kubectl reads them, scalar by scalar and document by document (Y1 to Y5)."""

import asyncio
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.manifests import parse
from tests.cluster.model import Cluster
from tests.slowness import scaled

pytestmark = pytest.mark.cluster
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
OBJECT = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"x":1}'
CASES = ("yes", "no", "nil", "nope", "t", "f", "on", "off", "true", "false", "null", "y", "n", "nan", "inf", "none")
WORDS = [variant for word in CASES for variant in (word, word.upper(), word.capitalize(), f"{word}x", f".{word}")]
DIGITS = [
    f"{sign}{body}"
    for sign, body in itertools.product(
        ("", "-", "+"),
        (
            "0",
            "00",
            "1",
            "12",
            "7",
            "0o7",
            "0O7",
            "0X1f",
            "0B1",
            "1e1_0",
            "9e9",
            "0o17",
            "017",
            "08",
            "0x1F",
            "0b101",
            "1_000",
            "1__0",
            "_1",
            "1.",
            ".5",
            "1.5",
            "1e3",
            "1E3",
            "1e+3",
            "1e-3",
            "1.5e3",
            "1e400",
            "1.0",
            "0.0",
            "1:30",
            "190:20:30",
            "1.5.2",
            "1,000",
            "0x",
            "0o8",
            "0b2",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e20",
            "1e21",
            "123e21",
        ),
    )
]
PLAIN = [
    "52:54:00:12:34:56",
    "10:30",
    "1:2",
    "12:30",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "2024-01-01 00:00:00",
    "=",
    "~",
    "''",
    '""',
    "a b",
    "a: b",
    "[a, 1]",
    "{a: 1}",
    "!!str 1",
    "!!int '1'",
    "!!float 1",
    "!!bool 'yes'",
    "!!null ''",
    "!!binary aGVsbG8=",
    "!Ref x",
    "'1'",
    '"1"',
    '"\\u00e9"',
    '"\\x41"',
    "'it''s'",
    "*nothing",
    "&a b",
    "|\n    a\n    b",
    ">\n    a\n    b",
    "|-\n    a",
    "|+\n    a\n",
    ">-\n    a\n    b",
    "- a",
    "? a",
    "a#b",
    "a #b",
    "é",
    "日本",
    "😀",
    "\\n",
    "%a",
    "@a",
    "`a`",
    "a,b",
    "[]",
    "{}",
    "[[1], [2, 3]]",
    "{a: {b: 1}}",
    "{a, b}",
    "[a: 1]",
    "0777",
    "1-2",
    "+",
    "-",
    ".",
    "..",
    "...",
    "--",
    "<<",
    "1e",
    "e1",
    "0.1.",
    "١",
    "1 2",
    "0x1.8p3",
    "Infinity",
    "NaN",
    "undefined",
    "True ",
    "  x",
    "5m",
    "100Mi",
    "1Gi",
    "0.5",
    "1_0.5",
    "1e3_0",
    "07_7",
    "0x_1F",
    "0b1_0",
    "-0",
    "-0.0",
    "+.5",
    "-.5",
    "1.e3",
    ".e3",
    "0e0",
    "00.5",
    "08.5",
    "0o",
    "+0o7",
    "-0x1",
    "+0b1",
    "1E",
    "0x1G",
    "12e03",
    "-1:30",
    "685_230.15",
    "190:20:30.15",
    "[1e3, 0o400]",
    "{1: a}",
    "{1.5: a}",
    "{true: a}",
    "{yes: a}",
    "{~: a}",
    "{0x11: a}",
    "{1e3: a}",
    "{'1': a}",
    "{2024-01-01: a}",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!timestamp 2024-01-01",
    "!!map {a: 1}",
    "!!seq [1]",
    "!<tag:yaml.org,2002:str> 1",
    "!local {a: 1}",
    "!!float 'x'",
    "!!int x",
    "!!binary '%'",
    "!!pairs [a: 1]",
    "!!value =",
    "!!merge x",
]
SCALARS = list(dict.fromkeys([*WORDS, *DIGITS, *PLAIN]))
LITERALS = [
    "1e3",
    "1E3",
    "1.0",
    "1.5",
    "-0",
    "0",
    "1e20",
    "1e21",
    "1e-7",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "0.1",
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"\\u0041"',
    "null",
    "true",
    "[]",
    "{}",
    '"a\\tb"',
    "[1,2.0]",
    '{"a":{"b":[1]}}',
    '"é"',
    '""',
    "123456789012345678901234567890",
    "1e400",
    "01",
    "NaN",
    "'a'",
    "[1,]",
    '"\\x41"',
    '"a\nb"',
    "{a: 1}",
]
DOCUMENTS = {
    **{f"JSON {literal}": OBJECT.replace(":1}", f":{literal}}}") for literal in LITERALS},
    "a list of a kind": "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n",
    "a list of a kind whose items say it": f"apiVersion: v1\nkind: ConfigMapList\nitems: [{OBJECT}]\n",
    "a list": f"apiVersion: v1\nkind: List\nitems: [{OBJECT}, {OBJECT}]\n",
    "JSON in a row": OBJECT + "\n" + OBJECT,
    "JSON without a break": OBJECT + OBJECT,
    "JSON, then YAML": OBJECT + "\n---\n" + OTHER,
    "YAML, then JSON": HEAD + "---\n" + OBJECT,
    "a mark": "\ufeff" + HEAD,
    "a mark before JSON": "\ufeff" + OBJECT,
    "a mark of the second document": HEAD + "---\n\ufeff" + OTHER,
    "carriage returns": (HEAD + "---\n" + OTHER).replace("\n", "\r\n"),
    "a comment at the separator": HEAD + "--- # two\n" + OTHER,
    "blanks at the separator": HEAD + "---  \n" + OTHER,
    "separators alone": "---\n---\n" + HEAD + "---\n---\n",
    "comments alone between": "# a\n---\n# b\n---\n" + HEAD,
    "an end": HEAD + "...\n",
    "tabs in JSON": OBJECT.replace(",", ",\n\t"),
    "anchors": HEAD + "x: &a {k: 1}\ny: *a\nz: {<<: *a, l: 2}\n",
    "a merge of a list": HEAD + "x: &a {k: 1}\ny: &b {l: 2}\nz: {<<: [*a, *b], k: 3}\n",
    "a merge after a key": HEAD + "x: &a {k: 1, l: 2}\nz:\n  k: 5\n  <<: *a\n",
    "a merge between keys": HEAD + "x: &a {k: 1, l: 2}\nz:\n  k: 5\n  <<: *a\n  l: 6\n",
    "a merge in a merge": HEAD + "x: &a {k: 1}\ny: &b {<<: *a, l: 2}\nz: {<<: *b}\n",
    "a merge of a text": HEAD + "z: {<<: a}\n",
    "an anchor that is named again": HEAD + "x: &a {k: 1}\ny: *a\nz: &a [2]\nv: *a\n",
    "keys that are numbers": HEAD + "x: {1e6: a, 1.10: b, 0x10: c, 1234567.5: d, .inf: e}\n",
    "a tag that does not fit": HEAD + "x: !!int yes\n",
    "a tag of another form": HEAD + "x: !!set a\ny: !!map [a]\n",
    "an anchor of another document": HEAD + "x: &a 1\n---\n" + OTHER + "y: *a\n",
    "the key of a set": HEAD + "x:\n- =\n",
    "a tab before a key": HEAD + "\tx: 1\n",
    "an open list": HEAD + "x: [1\n",
    "an unclosed quote": HEAD + "x: 'a\n",
    "folded lines": HEAD + "x: a\n  b\n\n  c\n",
    "a literal block": HEAD + "x: |\n  a\n\n   b\n  c\n",
    "a list at the key's own indent": HEAD + "x:\n- a\n- b: 1\n  c: 2\n",
    "a question mark": HEAD + "? x\n: 1\n",
    "an empty value": HEAD + "x:\ny: 1\n",
    "a flow over lines": HEAD + "x: {a: 1,\n  b: [1,\n  2]}\n",
}


async def by_kubectl(kubectl: Path, cluster: Cluster, text: str) -> list[Any] | None:
    """The objects that kubectl would send; None when it refuses the text."""
    process = await asyncio.create_subprocess_exec(
        kubectl,
        f"--kubeconfig={cluster.kubeconfig}",
        "create",
        "--dry-run=client",
        "--validate=false",
        "--output=json",
        "--filename=-",
        env={**os.environ, **cluster.proxy_bypass()},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(text.encode()), scaled(60))
    if process.returncode != 0:
        return None
    value = read(f"[{output.decode().replace(chr(10) + '}' + chr(10) + '{', '},{')}]")
    found = [item for each in value for item in (each["items"] if each["kind"] == "List" else [each])]
    for each in found:
        each["metadata"].pop("namespace", None)  # kubectl adds the context's
    return found


def ours(text: str) -> list[Any] | None:
    try:
        found = [document.content for document in parse(text)]
    except ToolFailure:
        return None
    as_read: list[Any] = read(json.dumps(found))
    return as_read


def read(text: str) -> Any:
    """JSON whose integers beyond 64 bits are floats, as for kubectl, which prints them with other digits."""
    return json.loads(text, parse_int=lambda digits: int(digits) if -(2**63) <= int(digits) < 2**63 else float(digits))


def with_scalars(scalars: list[str]) -> str:
    return HEAD + "x:\n" + "".join(f"  k{number}: {scalar}\n" for number, scalar in enumerate(scalars))


def test_the_corpus_is_large_enough() -> None:
    assert len(SCALARS) >= 300
    assert len(DOCUMENTS) >= 60


async def test_y1_every_scalar_is_what_kubectl_reads(kubectl: Path, cluster: Cluster) -> None:
    readable = [scalar for scalar in SCALARS if ours(with_scalars([scalar])) is not None]
    theirs = await by_kubectl(kubectl, cluster, with_scalars(readable))
    assert theirs is not None, "kubectl refuses one of them"
    here = ours(with_scalars(readable))
    assert here is not None
    pairs = (
        (scalar, theirs[0]["x"][f"k{number}"], here[0]["x"][f"k{number}"]) for number, scalar in enumerate(readable)
    )
    wrong = [each for each in pairs if (json.dumps(each[1], sort_keys=True) != json.dumps(each[2], sort_keys=True))]
    assert not wrong


async def test_y4_what_is_refused_here_is_refused_by_kubectl(kubectl: Path, cluster: Cluster) -> None:
    refused = [scalar for scalar in SCALARS if ours(with_scalars([scalar])) is None]
    assert len(refused) > 5
    taken = {scalar for scalar in refused if await by_kubectl(kubectl, cluster, with_scalars([scalar])) is not None}
    assert taken == set()


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_y5_every_document_is_what_kubectl_reads(kubectl: Path, cluster: Cluster, name: str) -> None:
    assert ours(DOCUMENTS[name]) == await by_kubectl(kubectl, cluster, DOCUMENTS[name])
