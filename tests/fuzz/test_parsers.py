"""Every parser of ours, given anything: a value or the failure that it declares, never another exception."""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kmcp_bridge import envelope
from kmcp_bridge.answers import as_object
from kmcp_controller.spec.model import Platform, repository
from kmcp_controller.spec.parse import parse as parse_mcpserver
from kmcp_querydoc.parsing import asciidoc, chunking, html, markdown, restructured
from kmcp_runtime import ToolFailure, YamlError, cursors, durations, json_patch, patterns
from kmcp_runtime.arguments import check_name, check_namespace, moment_of, seconds_of
from kmcp_runtime.catalog.faults import InvalidDocumentError
from kmcp_runtime.engine.sealing import Seal
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.helm import manifests as rendered
from kmcp_runtime.helm import payload, values
from kmcp_runtime.kube import config, manifests, quantities, selectors
from tests.hostile import hostile_texts

FAILURES = (ToolFailure, YamlError, ValueError, InvalidDocumentError)
"""What parsers declare; a ValueError is what pydantic and our own readers raise for a wrong text."""
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | hostile_texts()
ANYTHING = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_WORDS = """a b app=web app!=web in notin ( ) , ! = == > < . - _ 1 10 1.5 1e3 1Gi 5m 1h30m 250ms -5m now now-1h Z
2026-11-01 T00:00:00Z +01:00 : / @ sha256: { } [ ] " ' \\ | > & *a &a <<: --- ... # % ~ null yes 0x1f kind: Pod v1
apiVersion: metadata: name: * ** ` ``` === <a> </a> <script> &amp; .. :: |=== include:: é"""
_ANY_WORD = st.sampled_from([*_WORDS.split(), "\n", "\n\n", "\t", " ", "- ", "\0"])
TEXTS = st.lists(_ANY_WORD | st.text(max_size=4), max_size=30).map("".join) | hostile_texts() | st.text()


PIECES = ("1h", "a=b,", "(", "- a\n", "{", "*", "`", "<a>", "\\", "&amp;", "|", "# a\n", "[a]", "a in (")


def _kubeconfig(text: str) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        return config.load_contexts(file.name)


OF_TEXTS: dict[str, Callable[[str], Any]] = {
    "duration": durations.parse,
    "signed duration": durations.parse_signed,
    "duration of Go": durations.parse_go,
    "quantity": quantities.parse,
    "label selector": selectors.label_fault,
    "field selector": selectors.field_fault,
    "name": check_name,
    "namespace": check_namespace,
    "moment": moment_of,
    "seconds": seconds_of,
    "manifest": manifests.parse,
    "value": lambda text: manifests.parse_value(text, "value"),
    "values": values.parsed,
    "rendered manifest": rendered.objects,
    "kubeconfig": _kubeconfig,
    "pattern": lambda text: patterns.pattern(text, "match"),
    "pointer": json_patch.split_pointer,
    "cursor": lambda text: cursors.decode(text, {}),
    "token": lambda text: Seal("k" * 32).open("token", text),
    "release of a Secret": payload.of_secret,
    "release of a ConfigMap": payload.of_configmap,
    "image": repository,
    "markdown": lambda text: chunking.cut(markdown.parse(text)),
    "html": lambda text: chunking.cut(html.parse(text)),
    "asciidoc": lambda text: chunking.cut(asciidoc.parse(text)),
    "restructured text": lambda text: chunking.cut(restructured.parse(text)),
}
OF_VALUES: dict[str, Callable[[Any], Any]] = {
    "MCPServer": lambda value: parse_mcpserver(value if isinstance(value, dict) else {"spec": value}, Platform()),
    "spec of an MCPServer": lambda value: parse_mcpserver(
        {"metadata": {"name": "a", "namespace": "b"}, "spec": value}, Platform()
    ),
    "metadata of an MCPServer": lambda value: parse_mcpserver({"metadata": value, "spec": {}}, Platform()),
    "annotations of an MCPServer": lambda value: parse_mcpserver(
        {"metadata": {"name": "a", "annotations": value}, "spec": {}}, Platform()
    ),
    "patch": lambda value: json_patch.apply_patch({"a": [1]}, value),
    "operation": lambda value: json_patch.apply_patch({"a": [1]}, [value]),
    "same JSON": lambda value: json_patch.same_json(value, [value]),
    "JSON-RPC": as_object,
    "handshake": envelope.handshake_result,
    "answer of the bridge": lambda value: envelope.stateless_result("tools/list", value, {}),
    "foreign list": scrub,
    "quantity": quantities.parse,
    "values": lambda value: values.merged(value if isinstance(value, dict) else {"a": value}, {"a": {"b": 1}}),
}


@pytest.mark.parametrize("parse", OF_TEXTS.values(), ids=OF_TEXTS)
@settings(deadline=None, max_examples=40)
@given(TEXTS)
@example("")
@example("\0")
@example("\ud800")
@example("9" * 5000)
@example("٣")
@example("1e999999999")
@example("[" * 3000)
@example("a: &a [*a]")
@example("- " * 3000)
def test_a_text_is_read_or_refused(parse: Callable[[str], Any], text: str) -> None:
    try:
        parse(text)
    except FAILURES:
        return


@pytest.mark.parametrize("parse", OF_VALUES.values(), ids=OF_VALUES)
@settings(deadline=None, max_examples=40)
@given(ANYTHING)
@example({"op": "test", "path": "/a/٣", "value": 1})
@example({"op": "add", "path": "/a/99999999999999999999", "value": 1})
@example(10**400)
def test_a_value_is_read_or_refused(parse: Callable[[Any], Any], value: Any) -> None:
    try:
        parse(value)
    except FAILURES:
        return


@pytest.mark.parametrize("parse", OF_TEXTS.values(), ids=OF_TEXTS)
@pytest.mark.parametrize("piece", PIECES)
def test_the_time_is_linear(parse: Callable[[str], Any], piece: str) -> None:
    def seconds(count: int) -> float:
        began = time.process_time()
        with contextlib.suppress(*FAILURES):
            parse(piece * count)
        return time.process_time() - began

    short = min(seconds(2_000) for _ in range(2))
    # Eight times as long; the square would be sixty-four.
    assert min(seconds(16_000) for _ in range(2)) < max(short, 0.05) * 40


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_frame_of_the_bridge_is_read_or_refused(data: bytes) -> None:
    try:
        as_object(json.loads(data))
    except FAILURES:
        return
