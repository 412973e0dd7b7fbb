"""JSON in a text is read as a document: behind what a log writes before it, in quotes, inside other JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.redaction.known import REGISTER
from tests.redaction.test_corpus import cases

SECRET = "Zq7planted9Xw"
LEAST_HIDDEN = 0.985
WORDS = st.text("abcdefghij äß\\\n\"'{[", max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
WAYS: dict[str, Callable[[Any], str]] = {
    "as a container's log has it": lambda node: f"2026-11-30T10:11:12.123456789Z stdout F {json.dumps(node)}",
    "compact, behind a pod": lambda node: f"[pod/web-0/app] {json.dumps(node, separators=(',', ':'))} in 3 ms",
    "on several lines": lambda node: f"effective configuration:\n{json.dumps(node, indent=2)}\nstarted\n",
    "in quotes": lambda node: f"level=debug msg={json.dumps('got ' + json.dumps(node))} status=200",
    "in JSON": lambda node: "web-0 app " + json.dumps({"log": "config: " + json.dumps(node), "stream": "stdout"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_structure_tells_is_hidden_in_a_text_too(way: str) -> None:
    planted = [case for case in cases("planted") if "value" in case]
    left = [case for case in planted if case["secret"] in redaction.text(WAYS[way](case["value"]))]
    assert len(left) <= (1 - LEAST_HIDDEN) * len(planted), left


@given(node=DOCUMENTS, way=st.sampled_from(list(WAYS)))
def test_the_rest_of_the_text_stays_as_it_was_written(node: Any, way: str) -> None:
    REGISTER.forget()
    document = {"a": node, "secrets": {"a": SECRET}, "z": [1]}
    shown = redaction.text(WAYS[way](document))
    assert shown == WAYS[way]({**document, "secrets": {"a": "[hidden]"}})


@pytest.mark.parametrize(
    "text",
    [
        '{"columns": ["name", "password"], "rows": [["web"',
        'list ["a", "b" and {"kind": "Secret", "data"',
        'msg="{\\"kind\\": \\"Secret\\"',
        'got {"a": "\\x"} and ["b"]',
        '{"a":' * 3_000,
    ],
)
def test_what_is_no_document_is_read_as_text(text: str) -> None:
    assert redaction.text(text) == text
    assert redaction.text(f"{text}\npassword={SECRET}\n") == f"{text}\npassword=[hidden]\n"
