"""This server's parser against upstream's own cases and parser, and against any text at all."""

import random
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_prometheus.promql import explaining, guard, printing, trees
from kmcp_prometheus.promql.parser import SyntaxFault, parse
from tests.prometheus import expressions, upstream
from tests.slowness import scaled

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_WORDS = """
offset 5m [5m] ( ) step() range() max_of(1m,2m) fill(0) fill_left(1) fill_right(2) anchored smoothed @ start() end() on
(a) ignoring group_left by without up sum rate bool == </ >/ info { } "a" - + * / ^ % [ ] : 1 0 0x10 1e3 017 1_0 inf and
or unless atan2 , {a="b"} `x` #c
"""
_PIECES = _WORDS.split()
MUTATED = 4_000
HUGE = [
    "(" * 100_000,
    "(" * 5_000 + "1" + ")" * 5_000,
    "-" * 100_000 + "1",
    "1" + "^1" * 50_000,
    "up" + " + up" * 50_000,
    "up" + "[5m:1m]" * 20_000,
    "sum(" * 50_000,
    "9" * 100_000,
    "1" * 100_000 + "h",
    f"up[{'1h' * 50_000}]",
    f"up[{'1m+' * 50_000}1m]",
    f"up offset {'(' * 50_000}1m",
    '"' + "\\n" * 50_000,
    "up{" + ",".join(f'a{n}="b"' for n in range(20_000)) + "}",
    'up{a=~"' + "(a|" * 50_000 + '"}',
    f"sum by ({','.join('a' * 50_000)}) (up)",
]


@pytest.fixture(scope="module")
def judge(binaries: object) -> Path:
    return upstream.build()


def is_valid(query: str) -> tuple[bool, bool]:
    """Our verdict: with no feature flag of Prometheus, and with all of them."""
    try:
        tree = parse(query)
    except SyntaxFault:
        return False, False
    assert explaining.explained(tree)
    assert printing.written(tree)
    return not trees.features(tree), True


def disagreements(judge: Path, queries: Sequence[str]) -> list[tuple[str, str]]:
    """The expressions on which upstream decides otherwise, with its reason."""
    found = zip(queries, upstream.verdicts(judge, queries), strict=True)
    return [
        (query, theirs.get("error", ""))
        for query, theirs in found
        if is_valid(query) != (theirs["stable"], theirs["experimental"])
    ]


def test_upstreams_cases(judge: Path) -> None:
    cases = upstream.cases(judge)
    assert len(cases) == 353
    wrong = disagreements(judge, cases)
    assert len(wrong) <= 0.02 * len(cases), wrong
    # `offset -(5)` needs no feature flag there, although the tree is that of an expression that does.
    assert {query for query, _ in wrong} <= {"foo offset -(5)", "foo offset +(5)"}


def test_variations_of_expressions(judge: Path) -> None:
    """Words of expressions left out, exchanged and put in, always the same ones."""
    source = random.Random(315)  # not a secret
    bases = [query for query in (*upstream.cases(judge), *expressions.RIGHT, *expressions.WRONG) if len(query) < 200]
    varied = [_varied(source, source.choice(bases)) for _ in range(MUTATED)]
    wrong = disagreements(judge, varied)
    assert len(wrong) <= 0.001 * MUTATED, wrong


def _varied(source: random.Random, query: str) -> str:
    parts = _WORD.findall(query) or ["up"]
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(parts))
        piece = source.choice([f" {source.choice(_PIECES)} ", source.choice(parts), ""])
        parts[at : at + source.randint(0, 1)] = [piece]
    return "".join(parts)


@pytest.mark.parametrize("query", HUGE, ids=lambda query: f"{query[:8]} {len(query)}")
def test_huge_texts_are_answered(query: str) -> None:
    is_valid(query)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(_PIECES), max_size=30).map(" ".join)))
def test_any_text_is_answered(query: str) -> None:
    is_valid(query)


@pytest.mark.parametrize("query", ["up[0x10]", "up offset 0x10", "foo[5m:0x10]", "foo @ 1m", "rate(x[2m+2m])"])
def test_what_upstream_takes(query: str) -> None:
    assert is_valid(query)[1]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("1e400", "out of range"),
        ("up > 1e309", "out of range"),
        ("foo[1e400]", "out of range"),
        ("foo @ 1e400", "out of range"),
        ('up{a="\\U00110000"}', "invalid Unicode code point"),
        ("foo[9.5e10]", "duration out of range"),
        ("foo[5m1h]", "not a valid duration string"),
        ("foo[5m/0]", "division by zero"),
        ("foo offset (5m", 'expected ")"'),
        ("rate(up[5m],)", "unexpected"),
    ],
)
def test_what_upstream_refuses(query: str, why: str) -> None:
    with pytest.raises(SyntaxFault, match=re.escape(why)):
        parse(query)


HOSTILE = {
    "ors": " or ".join(['up{a="b"}'] * 400),
    "sum": " + ".join(["up"] * 1_200),
    "parentheses": "(" * 5_000 + "up" + ")" * 5_000,
    "signs": "-" * 5_000 + "up",
    "matchers": "up{" + ",".join(['a="b"'] * 20_000) + "}",
    "labels": "sum by (" + ",".join(["a"] * 30_000) + ") (up)",
    "text": '"' * 50_000,
    "digits": "1" * 100_000,
}


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE)
def test_s3_an_expression_too_deep_or_long_is_left_to_the_backend_at_once(expression: str) -> None:
    began = time.monotonic()
    assert guard.query(expression) is None
    assert time.monotonic() - began < scaled(0.5)
