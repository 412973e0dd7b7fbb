"""Rows M1 to M6 and M8, M9: `kmcp-suite plan` reads what kubectl reads, and lists every fault with its line."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmcp_controller.cli.commands import plan
from kmcp_controller.cli.manifests import data_of, read_manifests
from kmcp_runtime.catalog import InvalidDocumentError
from tests.controller.manifests import manifest
from tests.controller.planning import GOOD, HEAD, META, Told, pod_of

SHAPES = [
    (f"{HEAD}{META}spec: hello\n", "m.yaml:4: spec: is not a mapping"),
    (f"{HEAD}{META}spec: [a]\n", "m.yaml:4: spec: is not a mapping"),
    (f"{HEAD}{META}spec: false\n", "m.yaml:4: spec: is not a mapping"),
    (f"{HEAD}metadata: a\n", "m.yaml:3: metadata: is not a mapping"),
    (f"{HEAD}metadata:\n  name: a\n  annotations: [x]\n", "m.yaml:5: metadata.annotations: is not a mapping"),
    (
        f"{HEAD}metadata:\n  name: a\n  annotations:\n    kmcp-suite/extensions:\n      tool: [a]\n",
        "m.yaml:6: metadata.annotations.kmcp-suite/extensions: is not a text; write | after the key",
    ),
    (
        f"{HEAD}metadata:\n  name: a\n  annotations:\n    kmcp-suite/extensions:\n      tool: [a]\n",
        'm.yaml:7: metadata.annotations.kmcp-suite/extensions.tool: unknown key; did you mean "tools"?',
    ),
    (
        f"{HEAD}metadata:\n  name: a\n  annotations:\n    kmcp-suite/extensions: 5\n",
        "m.yaml:6: metadata.annotations.kmcp-suite/extensions: is not a text; put it in quotes",
    ),
    ("- a\n", "m.yaml:1: document: is not a mapping"),
    ("# nothing\nhello\n", "m.yaml:2: document: is not a mapping"),
    ("a: 1\n", "m.yaml:1: kind: is required"),
    ("a: 1\n\0", "m.yaml:2: document: control characters are not allowed"),
]


@pytest.mark.parametrize(("content", "expected"), SHAPES)
def test_M1_a_wrong_shape_is_a_fault_with_its_line(content: str, expected: str, tell: Any) -> None:
    told = tell(content)
    assert (told.code, told.out) == (1, "")
    assert told.has(expected), told.lines


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_M1_another_encoding_is_named(encoding: str, tell: Any) -> None:
    told = tell(GOOD.encode(encoding))
    assert told.code == 1
    assert told.lines == ["m.yaml:1: document: is UTF-16, which is not read; save it as UTF-8"]


def test_M1_latin_1_is_a_fault_at_its_line(tell: Any) -> None:
    told = tell(f"{HEAD}# caf\u00e9\n".encode("latin-1"))
    assert told.lines == ["m.yaml:3: document: byte 0xe9 is not UTF-8; save the file as UTF-8"]
    assert tell(b"\xef\xbb\xbf" + GOOD.encode()).code == 0


SCALARS = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=8)
KEYS = (
    "apiVersion kind metadata spec name annotations labels deployment env image volumes extensions headersFrom "
    "kmcp-suite/extensions valueFrom resources sidecars items timeout"
)
NAMES = st.sampled_from(KEYS.split())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))


def _replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copied = dict(body) if isinstance(body, dict) else {}
    copied[path[0]] = _replaced(copied.get(path[0]), path[1:], value)
    return copied


WHERE = (
    "; metadata; metadata annotations; metadata labels; metadata name; apiVersion; kind; spec; spec timeout; "
    "metadata annotations kmcp-suite/extensions; spec extensions; spec extensions env; spec extensions probes; "
    "spec deployment; spec deployment volumes; spec deployment env; spec deployment resources; "
    "spec deployment sidecars; spec deployment volumeMounts; spec deployment affinity"
)
PLACES = st.sampled_from([tuple(text.split()) for text in WHERE.split(";")])
QUIET = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUIET
@given(place=PLACES, value=VALUES)
def test_M1_any_value_at_any_place_is_planned_or_a_fault(place: tuple[str, ...], value: Any, tell: Any) -> None:
    told = tell(yaml.safe_dump(_replaced(manifest({"image": "x"}), place, value)))
    assert told.code == (0 if told.out else 1)
    assert told.out or told.lines


@QUIET
@given(content=st.binary(max_size=60) | st.text(alphabet="[]{}&*a:,- \n\t'\"|>!?%@<#0.~", max_size=60))
def test_M1_any_bytes_are_a_fault(content: bytes | str, tell: Any) -> None:
    content = content.encode() if isinstance(content, str) else content
    for whole in (content, GOOD.encode() + b"---\n" + content):
        assert tell(whole).lines


SIXTEEN = f"""{HEAD}metadata: {{name: a.b, namespace: B, annotations: {{kmcp-suite/pin: hard}}}}
spec:
  transportType: sse
  stdioTransport: {{a: b}}
  httpTransport: {{targetPort: 70000, path: 5}}
  timeout: 5
  deployment:
    port: "x"
    replicas: -1
    env: {{A: 1, B: [x]}}
    imge: y
    imagePullPolicy: Sometimes
    volumes: [{{name: config}}, text]
    sidecars: [{{name: a}}, {{name: a}}]
  extensions:
    env: [{{name: 5}}, text, {{name: C}}]
    scaling: sometimes
    network: {{}}
"""
EVERY = (
    "3: metadata.name 3: metadata.namespace 3: metadata.annotations.kmcp-suite/pin 5: spec.transportType "
    "6: spec.stdioTransport 7: spec.httpTransport.targetPort 7: spec.httpTransport.path 8: spec.timeout "
    "10: spec.deployment.port 11: spec.deployment.replicas 12: spec.deployment.env.A 12: spec.deployment.env.B "
    "13: spec.deployment.imge 14: spec.deployment.imagePullPolicy 15: spec.deployment.volumes[1] "
    "15: spec.deployment.volumes 16: spec.deployment.sidecars 9: spec.deployment.image "
    "18: spec.extensions.env[0].name 18: spec.extensions.env[0] 18: spec.extensions.env[1] 18: spec.extensions.env[2] "
    "19: spec.extensions.scaling 20: spec.extensions.network"
)


def test_M2_every_fault_at_once_whatever_its_kind(tell: Any) -> None:
    told = tell(SIXTEEN)
    expected = sorted(EVERY.replace(": ", ":").split())
    assert sorted(":".join(line.split(": ")[:2]).removeprefix("m.yaml:") for line in told.lines) == expected


def test_M2_every_document_is_told(tell: Any) -> None:
    bad = GOOD.replace("image:", "imge:")
    told = tell(f"{bad}---\na: [\n---\n{GOOD}---\n{bad}---\na: 1\na: 2\nkind: MCPServer\n")
    for line in ("m.yaml:4: spec.deployment.imge", "m.yaml:6: document", "m.yaml:16: spec.deployment.imge"):
        assert told.has(line), told.lines
    assert told.has("m.yaml:19: a: key given twice; keep one")
    assert told.has("spec.deployment: required")
    assert told.out == ""


def test_M3_octals_and_booleans_are_those_of_kubectl(tell: Any) -> None:
    volume = "{name: a, secret: {secretName: b, defaultMode: 0400}}"
    spec = f"spec:\n  transportType: http\n  deployment:\n    image: x\n    volumes: [{volume}]\n"
    assert pod_of(tell(HEAD + META + spec))["volumes"][-1]["secret"]["defaultMode"] == 256
    told = tell(HEAD + META + spec + "    env: {DEBUG: yes, MODE: 0400}\n")
    assert told.has("m.yaml:9: spec.deployment.env.DEBUG: must be text; put it in quotes")
    assert told.has("m.yaml:9: spec.deployment.env.MODE: must be text; put it in quotes")


def test_M3_the_annotation_is_read_alike(tell: Any) -> None:
    def run(block: str) -> Told:
        meta = f"metadata:\n  name: a\n  annotations:\n    kmcp-suite/extensions: |\n      {block}\n"
        found: Told = tell(f"{HEAD}{meta}spec: {{transportType: http, deployment: {{image: x}}}}\n")
        return found

    pod = pod_of(run("updateStrategy: {gracePeriodSeconds: 0100}"))
    assert pod["terminationGracePeriodSeconds"] == 64
    assert run("env: [{name: A, value: yes}]").has("extensions.env[0].value: must be text; put it in quotes")
    pod = pod_of(run("env: [&a {name: A, value: !!str yes}, {<<: *a, name: B}]"))
    assert pod["containers"][0]["env"][:2] == [{"name": "A", "value": "yes"}, {"name": "B", "value": "yes"}]


def test_M4_anchors_merges_and_tags_are_read(tell: Any) -> None:
    told = tell(
        f"{HEAD}{META}spec:\n  transportType: http\n  deployment:\n    image: x\n"
        "    env: &env {A: !!str 1, B: &b two}\n    labels: {<<: *env, A: own, C: *b, D: !!str 0400}\n"
    )
    assert pod_of(told)["containers"][0]["env"][:2] == [{"name": "A", "value": "1"}, {"name": "B", "value": "two"}]
    deployment = next(each for each in yaml.safe_load_all(told.out) if each["kind"] == "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert {key: labels[key] for key in "ABCD"} == {"A": "own", "B": "two", "C": "two", "D": "0400"}
    assert tell(f"{GOOD}x: !!python/object/apply:os.system [ls]\n").has("m.yaml:5: x: unknown tag")


def test_M4_the_bounds_stay(tell: Any) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    bomb = f"l0: &l0 [a, a]\n{levels}"
    assert tell(bomb).has("more than 200,000 values")
    # A fault elsewhere in the file, which has it read piece by piece, does not lift the limit.
    assert tell(f"a: [\n---\n{bomb}").has("more than 200,000 values")
    for length, most in ((100, 64), (300, 128)):
        chain = "".join(f"c{n}: &c{n} [*c{n - 1}]\n" for n in range(1, length))
        assert tell(f"c0: &c0 [a]\n{chain}").has(f"nested deeper than {most}")
    assert tell("a: &a [*a]\n").has("stands inside itself")


@pytest.mark.parametrize("kind", ["List", "MCPServerList"])
def test_M5_a_list_is_read_with_its_lines(kind: str, tell: Any) -> None:
    item = json.dumps(manifest({"image": "x"}))
    told = tell(f"apiVersion: v1\nkind: {kind}\nitems:\n- {item}\n")
    assert pod_of(told)
    told = tell(f"apiVersion: v1\nkind: {kind}\nitems:\n- {item}\n- {item.replace('image', 'imge')}\n- 5\n")
    assert told.has('m.yaml:5: spec.deployment.imge: unknown key; did you mean "image"?')
    assert told.has("m.yaml:6: document: is not a mapping")
    assert tell(f"kind: {kind}\nitems: a\n").has("m.yaml:2: items: must be a list")


@pytest.mark.parametrize("content", ["", "# a comment\n", "---\n---\n", "null\n"])
def test_M5_an_empty_file_is_said(content: str, tell: Any) -> None:
    told = tell(content)
    assert told.code == 1
    assert told.lines[0] == "m.yaml: is empty; write an MCPServer of kagent.dev/v1alpha1"
    assert told.lines[1].endswith("holds no MCPServer; write one of kagent.dev/v1alpha1")


@pytest.mark.parametrize("kind", ["mcpserver", "MCPserver", "MCPServers", "mcpservers", "MCPServr"])
def test_M5_a_kind_in_another_spelling_is_a_fault(kind: str, tell: Any) -> None:
    told = tell(GOOD.replace("MCPServer", kind))
    assert told.code == 1
    assert told.has(f"m.yaml:2: kind: is {kind!r}; write MCPServer")


def test_M5_another_kind_alone_is_not_a_success(tell: Any) -> None:
    other = "apiVersion: v1\nkind: ConfigMap\n"
    assert tell(other).code == 1
    told = tell(f"{other}---\n{GOOD}")
    assert told.code == 0
    assert told.lines[0] == "m.yaml: ignored a document that is not of kind MCPServer"


def test_M6_files_folders_and_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def names(*arguments: str) -> list[str]:
        assert plan(list(arguments)) == 0
        objects = yaml.safe_load_all(capsys.readouterr().out)
        return [each["metadata"]["name"] for each in objects if each["kind"] == "Deployment"]

    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    for name in ("a.yaml", "b.yml", "c.json", "below/d.yaml"):
        body = manifest({"image": "x"}) | {"metadata": {"name": Path(name).stem}}
        (folder / name).write_text(json.dumps(body))
    (folder / "notes.txt").write_text("not a manifest")
    a, b = str(folder / "a.yaml"), str(folder / "b.yml")
    assert names("-f", a, "-f", b) == ["a", "b"]
    assert names("-f", f"{a},{b}") == ["a", "b"]
    assert names("-f", str(folder)) == ["a", "b", "c"]
    assert names("-R", "-f", str(folder)) == ["a", "b", "d", "c"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert names("-f", "-", "-f", a) == ["time", "a"]


def test_M6_what_cannot_be_read_is_said_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, expected in (
        (str(tmp_path / "absent"), "there is no such file or folder; check the path"),
        (str(empty), "holds no file that ends in .json, .yaml, .yml; name another folder, or use -R"),
        ("https://example.com/a.yaml", "is a URL; download it, or pipe it to -f -"),
        ("a\0b", "is not a path"),
        (str(tmp_path / "absent" / ("x" * 300)), "; check the path"),
    ):
        assert plan(["-f", name]) == 1
        assert expected in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: [")))
    assert plan(["-f", "-"]) == 1
    assert capsys.readouterr().err.startswith("stdin:1: document: ")


def test_M6_one_server_twice_is_a_fault(tell: Any) -> None:
    assert tell(f"{GOOD}---\n{GOOD}").has("m.yaml:8: metadata.name: tools/time is also in m.yaml:3; keep one")


def test_what_up_reads_is_refused_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(GOOD)
    assert [each["metadata"]["name"] for each in data_of(read_manifests([str(file)]))] == ["time"]
    for more in ("kind: MCPServer\n", "---\na: [\n"):
        file.write_text(GOOD + more)
        with pytest.raises(InvalidDocumentError, match=rf"^{file}:[56]: "):
            data_of(read_manifests([str(file)]))


def test_M8_a_null_is_pruned_as_the_api_server_prunes_it(tell: Any) -> None:
    transport = "transportType: http, timeout: null, httpTransport: null, extensions: null"
    nulls = "port: null, image: x, env: ~, volumes: null, resources: null"
    told = tell(
        f"{HEAD}metadata: {{name: a, namespace: null, annotations: {{x: null}}, labels: null}}\n"
        f"spec: {{{transport}, deployment: {{{nulls}}}}}\n"
    )
    assert pod_of(told)["containers"][0]["ports"][0]["containerPort"] == 3000
    assert tell(GOOD.replace("image:", "imge: null, image:")).has('imge: unknown key; did you mean "image"?')
    assert tell(GOOD.replace("{image", "{env: {A: null}, image")).has("env.A: must be text")


ONE_ANSWER = [
    ("timeout: 5", "timeout", "is '5'; write a duration from 1s to 10m, such as \"30s\""),
    ("transportType: 5", "transportType", "is '5'; write stdio or http"),
    ("httpTransport: {path: 5}", "httpTransport.path", "does not start with /; write /5"),
    ('httpTransport: {targetPort: "70000"}', "httpTransport.targetPort", "is 70000; write 1 to 65535, or leave it out"),
]


@pytest.mark.parametrize(("line", "path", "expected"), ONE_ANSWER)
def test_M8_one_answer_for_each_fault(line: str, path: str, expected: str, tell: Any) -> None:
    transport = "" if "transportType" in line else "  transportType: http\n"
    told = tell(f"{HEAD}{META}spec:\n{transport}  deployment: {{image: x}}\n  {line}\n")
    assert [each.split(": ", 1)[1] for each in told.lines] == [f"spec.{path}: {expected}"]


def test_M8_a_number_as_name_and_another_version(tell: Any) -> None:
    told = tell(GOOD.replace("name: time", "name: 123").replace("v1alpha1", "v1alpha2"))
    assert told.lines == [
        "m.yaml:3: metadata.name: is not a text; put it in quotes",
        "m.yaml:1: apiVersion: is 'kagent.dev/v1alpha2'; write kagent.dev/v1alpha1",
    ]
    assert len(tell(GOOD.replace("name: time", "name: 1.5")).lines) == 1


@pytest.mark.parametrize(
    "argument", ["plain", "a: b # c", "two\nlines", "tab\t", " ends ", "\u00e9\U0001f600", "x" * 300]
)
def test_M9_the_gateway_file_is_readable(argument: str, tell: Any) -> None:
    body = manifest({"image": "x", "cmd": "time", "args": [argument]}, "stdio")
    told = tell(json.dumps(body))
    assert told.code == 0
    assert "\n  local.yaml: |\n    config: {}\n    binds:\n    - port: 3000\n" in told.out
    config = next(each for each in yaml.safe_load_all(told.out) if each["kind"] == "ConfigMap")
    route = yaml.safe_load(config["data"]["local.yaml"])["binds"][0]["listeners"][0]["routes"][0]
    assert route["backends"][0]["mcp"]["targets"][0]["stdio"]["args"] == [argument]


def test_json_is_read_with_its_own_escapes_and_in_a_row(tell: Any) -> None:
    body = manifest({"image": "x", "env": {"A": "\U0001f600"}})
    one, two = (json.dumps(body | {"metadata": {"name": name}}) for name in ("a", "b"))
    told = tell(one + two)
    assert told.code == 0, told.lines
    assert told.out.count("\U0001f600") == 2
