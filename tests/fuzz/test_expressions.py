"""S3: PromQL that is valid upstream and long, or only long, is answered within bounds, in time linear in its size."""

import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_prometheus.promql.guard import tree
from kmcp_prometheus.promql.lexer import SyntaxFault
from kmcp_prometheus.promql.parser import parse
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import LONGEST_STALL, World, world
from tests.slowness import scaled
from tests.trust import Trust

VALID = next(seed for seed in range(1000) if mood_of(seed) == "valid")
LONG = {
    "400 ors": " or ".join(f'm{number}{{a="b"}}' for number in range(400)),
    "a sum of 1,200 terms": " + ".join(f"m{number}" for number in range(1_200)),
    "a sum of 5,000 terms": " + ".join(f"m{number}" for number in range(5_000)),
    "2,000 powers": "^".join(["a"] * 2_000),
    "3,000 signs": "-" * 3_000 + "a",
    "90 parentheses": "(" * 90 + "a" + ")" * 90,
    "50,000 parentheses": "(" * 50_000,
    "20,000 matchers": "a{" + ",".join(f'l{number}="x"' for number in range(20_000)) + "}",
    "20,000 labels": "sum by (" + ",".join(f"l{number}" for number in range(20_000)) + ") (a)",
    "20,000 arguments": "label_join(a, 'x', " + ",".join(["'y'"] * 20_000) + ")",
    "a text of 300 kB": 'a{b="' + "x" * 300_000,
    "a number of 100,000 digits": "1" * 100_000,
    "a duration of 30,000 parts": "a[" + "1h" * 30_000 + "]",
    "50,000 letters that are none": "é" * 50_000,
}


@pytest.fixture(scope="module")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world("prometheus", Path(tmp_path_factory.mktemp("prometheus"))) as found:
        yield found


@pytest.mark.parametrize("expression", LONG.values(), ids=LONG)
@pytest.mark.parametrize("tool", ["prometheus_promql_tool", "prometheus_query_tool", "prometheus_query_range_tool"])
async def test_s3_a_long_expression_is_answered(prometheus: World, tool: str, expression: str, trust: Trust) -> None:
    took = math.inf

    async def call() -> None:
        nonlocal took
        began = time.monotonic()
        await prometheus.call(tool, {"query": expression}, VALID)
        took = min(took, time.monotonic() - began)

    stall = await prometheus.shortest_stall(call)
    assert took < scaled(3)
    trust.count("stalls", "long expressions", inputs=1, longest_stall_in_s=stall)
    assert stall < scaled(LONGEST_STALL)


@pytest.mark.parametrize("operator", ["or", "+", "and", "unless", "*"])
def test_s3_the_time_to_read_a_chain_is_linear(operator: str) -> None:
    def seconds(terms: int) -> float:
        text = f" {operator} ".join(f"m{number}" for number in range(terms))
        began = time.process_time()
        tree(text)
        return time.process_time() - began

    short = min(seconds(400) for _ in range(3))
    # Eight times as long; the square would be sixty-four.
    assert min(seconds(3_200) for _ in range(3)) < max(short, 0.004) * 24


WORDS = st.sampled_from(
    [
        "up",
        "rate",
        "sum",
        "by",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "@",
        "5m",
        "1h30m",
        "0x1f",
        "1e3",
        "NaN",
        "inf",
        '"a"',
        "'b'",
        "`c`",
        "+",
        "-",
        "*",
        "/",
        "^",
        "%",
        "==",
        "!=",
        "=~",
        "!~",
        "=",
        "and",
        "or",
        "unless",
        "on",
        "ignoring",
        "group_left",
        "offset",
        "bool",
        "without",
        "le",
        "start()",
        "end()",
        "--",
        "#",
        "é",
        "\n",
    ]
)


@settings(deadline=None)
@given(st.lists(WORDS | st.text(max_size=3), max_size=40).map(" ".join) | st.text(max_size=60))
def test_whatever_is_given_as_promql_is_read_or_is_a_fault(text: str) -> None:
    try:
        found: Any = parse(text)
    except SyntaxFault:
        return
    assert found["type"]
