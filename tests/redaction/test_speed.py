"""Hiding is as fast as plain passes over a text: its CPU time is compared with that of expressions of Python's `re`.

`python -m bench.hiding` prints the times themselves.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from bench.hiding import WORST, manifests, text_of
from kmcp_runtime import redaction

LENGTH = 1_000_000
TRIES = 4
_WORDS = re.compile(r"\w+")


def seconds(function: Callable[[Any], Any], given: Any) -> float:
    start = time.process_time()
    function(given)
    return time.process_time() - start


def is_within(most: float, function: Callable[[Any], Any], given: Any, ordinary: str) -> bool:
    """Whether it takes at most so many times what finding all words of an ordinary text takes, side by side."""
    ratios = (seconds(function, given) / seconds(_WORDS.findall, ordinary) for _ in range(TRIES))
    return any(ratio < most for ratio in ratios)


@pytest.fixture(scope="module")
def ordinary() -> str:
    redaction.text("token=warm")
    return text_of(manifests(LENGTH))


def test_an_ordinary_text_is_read_in_few_passes(ordinary: str) -> None:
    assert is_within(3, redaction.text, ordinary, ordinary)


def test_ordinary_objects_are_walked_in_few_passes(ordinary: str) -> None:
    assert is_within(10, redaction.value, manifests(LENGTH), ordinary)


@pytest.mark.parametrize("unit", WORST, ids=lambda unit: repr(unit[:30]))
def test_the_worst_texts_take_few_passes(unit: str, ordinary: str) -> None:
    assert is_within(7, redaction.text, unit * (LENGTH // len(unit)), ordinary)
