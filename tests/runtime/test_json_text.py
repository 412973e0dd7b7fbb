"""How many values a JSON text has is known before a parser makes them all in one step."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime import json_text
from kmcp_runtime.kube import manifest_text
from kmcp_runtime.yaml_text import TooLarge
from tests.slowness import scaled

texts = st.text(alphabet=',[{"\\]}:x é', max_size=8)
values = st.recursive(
    st.none() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def _values_in(node: Any) -> int:
    """Elements and members at all depths: the bound that arguments have."""
    inner = [*node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []
    return len(inner) + sum(map(_values_in, inner))


def _counted(text: bytes) -> int:
    """The least `most` that the text is within."""
    return next(most for most in range(len(text) + 1) if not json_text.holds_more(text, most))


@given(values, st.booleans())
@settings(deadline=None)
def test_signs_of_values_are_told_from_those_in_texts(value: Any, ascii_only: bool) -> None:
    count = _values_in(value)
    counted = _counted(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert count <= counted <= 2 * count + 1


@given(st.binary(max_size=40))
def test_any_bytes_are_counted(text: bytes) -> None:
    assert not json_text.holds_more(text, len(text))


@pytest.mark.parametrize(
    "unit", [b"[],", b'"",', b'"\\"', b'"' + b"\\" * 100, b'"' + b"\\\\" * 50 + b'",'], ids=lambda unit: repr(unit[:6])
)
def test_a_large_text_is_counted_in_linear_time(unit: bytes) -> None:
    text = unit * (4 * 2**20 // len(unit))

    def took() -> float:
        began = time.thread_time()
        json_text.holds_more(text, 200_000)
        return time.thread_time() - began

    assert min(took() for _ in range(3)) < scaled(1)


def test_a_manifest_in_json_has_the_bound_of_yaml() -> None:
    with pytest.raises(TooLarge, match="it has more than 200,000 values"):
        manifest_text.documents("[" + "[]," * 1_000_000 + "[]]")
    assert manifest_text.documents(json.dumps({"text": "[]," * 1_000_000}))


def test_a_large_text_is_read_as_a_small_one() -> None:
    value = {"items": [{"number": number, "text": "é" * 40} for number in range(20_000)]}
    assert json_text.read(json.dumps(value)) == value
    assert json_text.read(json.dumps(value).encode()) == value
